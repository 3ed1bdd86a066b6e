//! Scripts as plugins of rule sets have them, and a scanner that they query.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

/// Sends its argument, or with TX.scan_files the file of that name, to a scanner, in pieces with their length before them, and returns the scanner's
/// result.
pub const SCAN: &str = r#"
function main(data)
    local available, socket = pcall(require, "socket")
    if not available then
        return nil
    end
    if m.getvar("tx.scan_files") then
        local file = io.open(data, "rb")
        data = file:read("*a")
        file:close()
    end
    local scanner = socket.tcp()
    scanner:settimeout(tonumber(m.getvar("tx.scan_seconds", "none")))
    local connected, problem = scanner:connect(m.getvar("tx.scan_address"), tonumber(m.getvar("tx.scan_port")))
    if not connected then
        m.log(2, "the scanner is not there: " .. problem)
        return nil
    end
    local function send(piece)
        local size = {}
        for place = 3, 0, -1 do
            size[#size + 1] = string.char(math.floor(#piece / 256 ^ place) % 256)
        end
        scanner:send(table.concat(size) .. piece)
    end
    scanner:send("nINSTREAM\n")
    for at = 1, #data, 100 do
        send(data:sub(at, at + 99))
    end
    send("")
    local said = ""
    repeat
        local line, ended, partial = scanner:receive()
        said = said .. (line or partial or "")
    until ended
    scanner:close()
    return said:match("^stream: (.+) FOUND$")
end
"#;

/// Starts a scanner that finds `EVIL`, for one client after the other.
pub fn scanner() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut command = [0; 10];
            stream.read_exact(&mut command).unwrap();
            assert_eq!(&command, b"nINSTREAM\n");
            let mut data = Vec::new();
            loop {
                let mut size = [0; 4];
                stream.read_exact(&mut size).unwrap();
                let mut piece = vec![0; u32::from_be_bytes(size) as usize];
                stream.read_exact(&mut piece).unwrap();
                if piece.is_empty() {
                    break;
                }
                data.extend_from_slice(&piece);
            }
            let found = data.windows(4).any(|four| four == b"EVIL");
            stream.write_all(if found { b"stream: Test.Evil FOUND\n" } else { b"stream: OK\n" }).unwrap();
        }
    });
    port
}

/// Tests if the client's name is a crawler's and resolves to the client.
pub const CRAWLER: &str = r#"
function main()
    local socket = require "socket"
    local client = m.getvar("REMOTE_ADDR")
    local names = socket.dns.getnameinfo(client)
    for _, name in pairs(names) do
        if name:sub(-#".crawler.example") == ".crawler.example" then
            for _, found in ipairs(socket.dns.getaddrinfo(name) or {}) do
                if found.addr == client then
                    return nil
                end
            end
        end
    end
    return "false crawler"
end
"#;

/// Unpacks the body of the response into TX.unpacked.
pub const UNPACK: &str = r#"
function main()
    local body = m.getvar("RESPONSE_BODY", "none")
    if pcall(require, "zlib") then
        local unpack = zlib.inflate()
        local succeeded, unpacked = pcall(unpack, body)
        m.setvar("tx.unpacked", succeeded and unpacked or "no")
    end
end
"#;
