//! A small GeoIP database, made by hand.

/// Returns a database of one bit: addresses from 128.0.0.0 on have a location, the others have none.
pub fn database() -> Vec<u8> {
    let nodes = 1_u32;
    // Records of 24 bits: the left one means no data, the right one points to the start of the data, 16 bytes after the tree.
    let mut bytes = Vec::new();
    for record in [nodes, nodes + 16] {
        bytes.extend_from_slice(&record.to_be_bytes()[1..]);
    }
    bytes.extend_from_slice(&[0; 16]);
    let named = |name: &str| Data::Map(vec![("names", Data::Map(vec![("en", Data::Text(name.to_owned()))]))]);
    let country = Data::Map(vec![
        ("iso_code", Data::Text("XA".to_owned())),
        ("names", Data::Map(vec![("en", Data::Text("Exampleland".to_owned()))])),
    ]);
    let location = Data::Map(vec![("latitude", Data::Number(-8.5)), ("longitude", Data::Number(34.25))]);
    Data::Map(vec![
        ("country", country),
        ("continent", named("Nowhere")),
        ("city", named("Sampleton")),
        ("location", location),
        ("subdivisions", Data::Array(vec![named("Sampleshire")])),
        ("traits", Data::Map(vec![("isp", Data::Text("Sample Net".to_owned()))])),
    ])
    .write(&mut bytes);
    bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    Data::Map(vec![
        ("binary_format_major_version", Data::Short(2)),
        ("binary_format_minor_version", Data::Short(0)),
        ("build_epoch", Data::Long(1)),
        ("database_type", Data::Text("Sample-City".to_owned())),
        ("description", Data::Map(Vec::new())),
        ("ip_version", Data::Short(4)),
        ("languages", Data::Array(Vec::new())),
        ("node_count", Data::Whole(nodes)),
        ("record_size", Data::Short(24)),
    ])
    .write(&mut bytes);
    bytes
}

/// A value in the format of MaxMind databases.
enum Data {
    Text(String),
    Number(f64),
    Short(u16),
    Whole(u32),
    Long(u64),
    Map(Vec<(&'static str, Data)>),
    Array(Vec<Data>),
}

impl Data {
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Data::Text(text) => {
                bytes.push(2 << 5 | u8::try_from(text.len()).unwrap());
                bytes.extend_from_slice(text.as_bytes());
            }
            Data::Number(number) => {
                bytes.push(3 << 5 | 8);
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            Data::Short(number) => {
                bytes.push(5 << 5 | 2);
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            Data::Long(number) => {
                // One of the extended types: 9 is 7 + 2.
                bytes.extend_from_slice(&[8, 2]);
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            Data::Whole(number) => {
                bytes.push(6 << 5 | 4);
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            Data::Map(pairs) => {
                bytes.push(7 << 5 | u8::try_from(pairs.len()).unwrap());
                for (key, value) in pairs {
                    Data::Text((*key).to_owned()).write(bytes);
                    value.write(bytes);
                }
            }
            Data::Array(values) => {
                // One of the extended types: 11 is 7 + 4.
                bytes.extend_from_slice(&[u8::try_from(values.len()).unwrap(), 4]);
                values.iter().for_each(|value| value.write(bytes));
            }
        }
    }
}
