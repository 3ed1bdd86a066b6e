//! Several sites behind one server: which of them judges and answers a request.

use crate::support::{Running, ask, plain, read_head, run, start_sites, upstream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use secrule::Waf;
use secrule_serve::{ServeError, Server, Settings, Site, SitePath, Sites};
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

/// An upstream that answers with its name.
async fn named(name: &'static str) -> SocketAddr {
    upstream(move |_| plain(name)).await
}

fn rules(denied: &str) -> Waf {
    Waf::from_rules(&format!("SecRuleEngine On\nSecRule REQUEST_URI \"@contains {denied}\" \"id:1,phase:1,deny,log\"")).unwrap()
}

fn site(hosts: &[&str], upstream: SocketAddr, waf: Waf) -> Site {
    let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
    Site { hosts, is_default: false, upstream: Some(format!("http://{upstream}").parse().unwrap()), tls: None, waf, paths: Vec::new() }
}

/// A shop that allows `attack` below `/api/`, and a blog.
async fn shop_and_blog(blog_is_default: bool) -> Running {
    let waf = rules("attack");
    let api = SitePath { prefix: "/api/".parse().unwrap(), waf: Waf::builder().base(&waf).remove_rule(1).build().unwrap() };
    let shop = Site { paths: vec![api], ..site(&["shop.example", "*.shop.example", "[::1]"], named("shop").await, waf) };
    let blog = Site { is_default: blog_is_default, ..site(&["blog.example"], named("blog").await, rules("blogged")) };
    start_sites(vec![shop, blog])
}

async fn answer(server: &Running, target: &str, headers: &str) -> String {
    let answer = ask(server.address, &format!("GET {target} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    if status == "200" { body.to_owned() } else { status.to_owned() }
}

#[tokio::test]
async fn a_request_goes_to_the_site_of_its_host() {
    let server = shop_and_blog(false).await;
    for (host, who) in [
        ("shop.example", "shop"),
        ("SHOP.example.:8080", "shop"),
        ("www.shop.example", "shop"),
        ("[0:0::1]:80", "shop"),
        ("blog.example", "blog"),
        ("www.blog.example", "421"),
        ("notshop.example", "421"),
        ("shop.example:x", "400"),
        ("shop example", "400"),
    ] {
        assert_eq!(answer(&server, "/", &format!("Host: {host}\r\n")).await, who, "{host}");
    }
    // Each with its rules.
    assert_eq!(answer(&server, "/?attack", "Host: shop.example\r\n").await, "403");
    assert_eq!(answer(&server, "/?attack", "Host: blog.example\r\n").await, "blog");
    assert_eq!(answer(&server, "/?blogged", "Host: blog.example\r\n").await, "403");
}

#[tokio::test]
async fn a_request_that_names_two_hosts_or_none_is_refused() {
    let server = shop_and_blog(true).await;
    assert_eq!(answer(&server, "http://shop.example/", "Host: shop.example\r\n").await, "shop");
    assert_eq!(answer(&server, "http://shop.example/", "Host: blog.example\r\n").await, "400");
    assert_eq!(answer(&server, "/", "Host: shop.example\r\nHost: blog.example\r\n").await, "400");
    assert_eq!(answer(&server, "/", "").await, "400");
    // Clients of HTTP/1.0 may name none.
    assert!(ask(server.address, "GET / HTTP/1.0\r\n\r\n").await.ends_with("blog"));
    assert_eq!(answer(&server, "/", "Host: other.example\r\n").await, "blog");
}

#[tokio::test]
async fn the_authority_of_http_2_is_the_host_and_must_not_differ_from_the_header() {
    let server = shop_and_blog(false).await;
    let stream = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    for (authority, host, status) in [
        ("blog.example", None, 200),
        ("blog.example", Some("Blog.example"), 200),
        ("blog.example", Some("shop.example"), 400),
        ("other.example", None, 421),
    ] {
        let mut request = http::Request::get(format!("http://{authority}/?attack"));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), status, "{authority} {host:?}");
    }
}

#[tokio::test]
async fn a_path_has_its_rules_only_if_all_servers_read_it_so() {
    let server = shop_and_blog(false).await;
    for (target, who) in [
        ("/api/list?attack", "shop"),
        ("/%61pi/a/../list?attack", "shop"),
        ("http://shop.example/api/list?attack", "shop"),
        ("/other?attack", "403"),
        ("/api?attack", "403"),
        ("/api/../admin?attack", "403"),
        ("/api/%2e%2e/admin?attack", "403"),
        ("/api/..%2fadmin?attack", "403"),
        ("/api/..;/admin?attack", "403"),
        ("/api/..\\admin?attack", "403"),
        ("//api/list?attack", "403"),
        ("/api/%00?attack", "403"),
        ("/api/%zz?attack", "403"),
    ] {
        assert_eq!(answer(&server, target, "Host: shop.example\r\n").await, who, "{target}");
    }
    // Some servers take the path from a header.
    for name in ["X-Rewrite-URL", "X_Original_URL", "SCRIPT_NAME", "Path-Info", "X-Forwarded-Prefix", "X-Forwarded-Uri"] {
        let headers = format!("Host: shop.example\r\n{name}: /admin\r\n");
        assert_eq!(answer(&server, "/api/list?attack", &headers).await, "403", "{name}");
    }
}

#[tokio::test]
async fn sites_are_replaced_at_once_and_requests_that_run_keep_theirs() {
    let late = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings { listen: vec![([127, 0, 0, 1], 0).into()], ..Settings::default() };
    let first = Sites::new(vec![site(&["a.example"], late.local_addr().unwrap(), rules("attack"))], None).unwrap();
    let server = Server::bind_sites(settings, first).unwrap();
    let handle = server.sites_handle();
    let server = run(server);
    let address = server.address;
    let running = tokio::spawn(async move { ask(address, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").await });
    let (mut stream, _) = late.accept().await.unwrap();
    read_head(&mut stream).await;
    let upstream = named("new").await;
    handle.replace(Sites::new(vec![site(&["b.example"], upstream, rules("other"))], None).unwrap()).unwrap();
    assert_eq!(answer(&server, "/?attack", "Host: b.example\r\n").await, "new");
    assert_eq!(answer(&server, "/?other", "Host: b.example\r\n").await, "403");
    assert_eq!(answer(&server, "/", "Host: a.example\r\n").await, "421");
    stream.write_all(plain("old").as_bytes()).await.unwrap();
    assert!(running.await.unwrap().ends_with("old"));
    let folder = tempfile::tempdir().unwrap();
    let tls = Some(crate::tls::certificate(folder.path(), "b.example"));
    let encrypted = Site { tls, ..site(&["b.example"], upstream, rules("x")) };
    let refused = handle.replace(Sites::new(vec![encrypted], None).unwrap()).unwrap_err();
    assert!(matches!(refused, ServeError::OtherListeners), "{refused}");
    assert_eq!(answer(&server, "/", "Host: b.example\r\n").await, "new");
}
