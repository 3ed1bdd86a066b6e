//! An upstream that answers as the CRS's own test server: `/reflect` as the body of the request says, everything else with 200.

use secrule_command::exchange::Request;
use secrule_command::ftw::case;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Starts it, until the process ends.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is no fault of a server.
            std::thread::spawn(move || serve(stream).ok());
        }
    });
    address
}

/// Answers one request.
fn serve(stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let request = read(&mut reader)?;
    let response = case::response_to(&request);
    let mut answer = format!("HTTP/1.1 {} x\r\n", response.status).into_bytes();
    for (name, value) in &response.headers {
        answer.extend([name.as_slice(), b": ", value, b"\r\n"].concat());
    }
    answer.extend_from_slice(b"Connection: close\r\n\r\n");
    if request.method != b"HEAD" {
        answer.extend_from_slice(&response.body);
    }
    (&stream).write_all(&answer)
}

/// Reads a request, which the proxy has made regular.
fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Request> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let [method, target] = [words.next(), words.next()].map(|word| word.unwrap_or_default().as_bytes().to_vec());
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let header = line(reader)?.to_ascii_lowercase();
        match header.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse().unwrap(),
            Some(("transfer-encoding", _)) => is_chunked = true,
            Some(_) => {}
        }
    }
    let mut body = Vec::new();
    if !is_chunked {
        reader.take(length).read_to_end(&mut body)?;
    }
    while is_chunked {
        let size = u64::from_str_radix(&line(reader)?, 16).unwrap();
        reader.take(size).read_to_end(&mut body)?;
        line(reader)?;
        is_chunked = size > 0;
    }
    Ok(Request { method, target, version: b"1.1".to_vec(), headers: Vec::new(), body })
}

fn line(reader: &mut BufReader<&TcpStream>) -> io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
