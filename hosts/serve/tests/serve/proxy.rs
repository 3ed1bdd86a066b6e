//! Requests as the upstream gets them, and answers as the client gets them.

use crate::support::{Running, ask, exchange, get, plain, read_head, run, start, start_before, timeouts, upstream};
use secrule::Waf;
use secrule_serve::{Server, Settings};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An upstream that keeps the heads of requests.
async fn recording() -> (std::net::SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    let address = upstream(move |head| {
        kept.lock().unwrap().push(head.to_ascii_lowercase());
        plain("hello")
    })
    .await;
    (address, heads)
}

#[tokio::test]
async fn without_an_upstream_there_is_a_page_and_attacks_are_stopped() {
    let server = start(|_| {});
    let page = get(server.address, "/", "").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("This request passed"), "{page}");
    assert!(get(server.address, "/?a=attack", "").await.starts_with("HTTP/1.1 403 Forbidden\r\n"));
}

#[tokio::test]
async fn requests_pass_and_attacks_never_reach_the_upstream() {
    let (upstream, heads) = recording().await;
    let server = start_before(upstream);
    let answer = get(server.address, "/list?a=1", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert!(get(server.address, "/list?a=attack", "").await.starts_with("HTTP/1.1 403 Forbidden\r\n"));
    let form = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\na=attack";
    assert!(ask(server.address, form).await.starts_with("HTTP/1.1 403 Forbidden\r\n"));
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with("get /list?a=1 http/1.1\r\n") && heads[0].contains("\r\nhost: shop.example\r\n"), "{}", heads[0]);
}

#[tokio::test]
async fn answers_that_rules_stop_do_not_reach_the_client() {
    let server = start_before(upstream(|_| plain("the password is x")).await);
    let answer = get(server.address, "/", "").await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n") && !answer.contains("password"), "{answer}");
}

#[tokio::test]
async fn an_upstream_is_told_who_asks_and_no_lies() {
    let (upstream, heads) = recording().await;
    let server = start_before(upstream);
    let lies = "X-Forwarded-For: 192.0.2.66\r\nX-Real-IP: 192.0.2.66\r\nForwarded: for=192.0.2.66\r\nX-Forwarded-Proto: https\r\n\
        Keep-Alive: 5\r\nProxy-Authorization: secret\r\nX-Hop: 1\r\nConnection: x-hop\r\n";
    assert!(get(server.address, "/", lies).await.starts_with("HTTP/1.1 200 OK\r\n"));
    let head = heads.lock().unwrap()[0].clone();
    for part in
        ["x-forwarded-for: 127.0.0.1\r\n", "x-real-ip: 127.0.0.1\r\n", "x-forwarded-proto: http\r\n", "x-forwarded-host: shop.example\r\n"]
    {
        assert!(head.contains(part), "{part}: {head}");
    }
    for part in ["192.0.2.66", "keep-alive", "proxy-authorization", "x-hop", "forwarded: "] {
        assert!(!head.replace("x-forwarded", "").contains(part), "{part}: {head}");
    }
}

#[tokio::test]
async fn no_connection_header_takes_away_what_was_judged() {
    let (upstream, heads) = recording().await;
    let server = start_before(upstream);
    let lies = "X_Forwarded_For: 192.0.2.66\r\nX-Forwarded-Prefix: /lie\r\nX-Real_IP: 192.0.2.66\r\nCookie: a=1\r\n\
        Connection: host, cookie, x-forwarded-for, x-real-ip, x-hop\r\nX-Hop: 1\r\n";
    assert!(get(server.address, "/", lies).await.starts_with("HTTP/1.1 200 OK\r\n"));
    let head = heads.lock().unwrap()[0].clone();
    for part in ["\r\nhost: shop.example\r\n", "\r\ncookie: a=1\r\n", "x-forwarded-for: 127.0.0.1\r\n", "x-real-ip: 127.0.0.1\r\n"] {
        assert!(head.contains(part), "{part}: {head}");
    }
    assert!(!["192.0.2.66", "/lie", "x-hop"].iter().any(|part| head.contains(part)), "{head}");
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client() {
    let (upstream, _) = recording().await;
    let server = start(|settings| {
        settings.upstream = Some(format!("http://{upstream}").parse().unwrap());
        settings.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    });
    assert!(get(server.address, "/", "X-Forwarded-For: 192.0.2.66\r\n").await.starts_with("HTTP/1.1 451 "));
    assert!(get(server.address, "/", "X-Forwarded-For: 192.0.2.7\r\n").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn an_upstream_that_is_away_or_slow_has_a_status() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(get(start_before(free).address, "/", "").await.starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = start_before(silent.local_addr().unwrap());
    assert!(get(server.address, "/", "").await.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"));
    let broken = upstream(|_| "SSH-2.0-OpenSSH\r\n\r\n".to_owned()).await;
    assert!(get(start_before(broken).address, "/", "").await.starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
}

#[tokio::test]
async fn an_upload_that_takes_longer_than_the_time_for_an_answer_reaches_the_upstream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Some(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    let settings = Settings { listen: vec![([127, 0, 0, 1], 0).into()], timeouts: timeouts(), upstream, ..Settings::default() };
    // No rule needs the body, so that it passes as it comes.
    let server = run(Server::bind(settings, Waf::from_rules("SecRuleEngine On").unwrap()).unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.read_exact(&mut [0; 20]).await.unwrap();
        stream.write_all(plain("all of it").as_bytes()).await.unwrap();
    });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: image/png\r\nContent-Length: 20\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let began = Instant::now();
    for _ in 0..20 {
        stream.write_all(b"a").await.unwrap();
        tokio::time::sleep(timeouts().answer / 12).await;
    }
    assert!(began.elapsed() > timeouts().answer);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("all of it"), "{answer}");
}

#[tokio::test]
async fn an_upstream_that_has_a_whole_upload_and_is_silent_has_a_status() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = start_before(silent.local_addr().unwrap());
    let form = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: image/png\r\nContent-Length: 2\r\n\r\nab";
    assert!(ask(server.address, form).await.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"));
}

#[tokio::test]
async fn connections_live_for_several_requests() {
    let (upstream, heads) = recording().await;
    let server = start_before(upstream);
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answers = ask(server.address, &[request, request, last].concat()).await;
    assert_eq!((answers.matches("hello").count(), heads.lock().unwrap().len()), (3, 3));
}

#[tokio::test]
async fn both_sides_can_change_to_another_protocol() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = start_before(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await.to_ascii_lowercase();
        assert!(head.contains("\r\nupgrade: websocket\r\n") && head.contains("\r\nconnection: upgrade\r\n"), "{head}");
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await.unwrap();
        let (mut reader, mut writer) = stream.split();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n").await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    // Longer than the time for a head or a piece of a body.
    for word in [b"hello", b"again"] {
        tokio::time::sleep(Duration::from_millis(400)).await;
        stream.write_all(word).await.unwrap();
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).await.unwrap();
        assert_eq!(&echo, word);
    }
}

#[tokio::test]
async fn a_server_that_ends_lets_exchanges_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let Running { address, stopper, end, .. } = start_before(listener.local_addr().unwrap());
    let exchange = tokio::spawn(async move { get(address, "/", "").await });
    let (mut stream, _) = listener.accept().await.unwrap();
    read_head(&mut stream).await;
    let stopped = Instant::now();
    stopper.stop();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(address).await.is_err());
    stream.write_all(plain("late").as_bytes()).await.unwrap();
    assert!(exchange.await.unwrap().ends_with("late"));
    end.await.unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn requests_that_could_be_read_in_two_ways_are_refused() {
    let (upstream, heads) = recording().await;
    let server = start_before(upstream);
    for request in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let answer = exchange(&mut stream, request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request}: {answer}");
    }
    assert!(heads.lock().unwrap().is_empty());
}
