use super::*;

fn find(database: &GeoDatabase, address: &str) -> Option<Vec<(&'static str, String)>> {
    database.find(address.parse().unwrap()).map(|place| place.parts)
}

#[test]
fn a_place_has_the_parts_that_the_database_knows() {
    let database = GeoDatabase::shared(database()).unwrap();
    let expected = [
        ("COUNTRY_CODE", "XA"),
        ("COUNTRY_NAME", "Exampleland"),
        ("COUNTRY_CONTINENT", "Nowhere"),
        ("CITY", "Sampleton"),
        ("LATITUDE", "-8.500000"),
        ("LONGITUDE", "34.250000"),
    ];
    assert_eq!(find(&database, "200.1.2.3").unwrap(), expected.map(|(key, value)| (key, value.to_owned())));
    assert_eq!(find(&database, "100.1.2.3"), None);
    assert_eq!(find(&database, "2001:db8::1"), None);
}

#[test]
fn a_database_is_held_once() {
    let one = GeoDatabase::shared(database()).unwrap();
    assert!(Arc::ptr_eq(&one, &GeoDatabase::shared(database()).unwrap()));
}

#[test]
fn damaged_databases_are_refused_or_find_nothing() {
    assert!(GeoDatabase::shared(Vec::new()).is_err());
    assert!(GeoDatabase::shared(b"GeoIP.dat of old".to_vec()).is_err());
    let whole = database();
    for cut in 0..whole.len() {
        for damaged in [whole.get(cut..).unwrap().to_vec(), [&whole[..cut], &[0xff], &whole[cut + 1..]].concat()] {
            if let Ok(database) = GeoDatabase::shared(damaged) {
                let _ = find(&database, "200.1.2.3");
            }
        }
    }
}

/// A database of one bit: addresses from 128.0.0.0 on are in a place, the others in none.
pub(crate) fn database() -> Vec<u8> {
    let nodes = 1_u32;
    // Records of 24 bits: the left one says "nothing", the right one points to the start of the data, 16 bytes behind the tree.
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
    Data::Map(vec![("country", country), ("continent", named("Nowhere")), ("city", named("Sampleton")), ("location", location)])
        .write(&mut bytes);
    bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    Data::Map(vec![
        ("binary_format_major_version", Data::Short(2)),
        ("binary_format_minor_version", Data::Short(0)),
        ("build_epoch", Data::Long(1)),
        ("database_type", Data::Text("Sample-City".to_owned())),
        ("description", Data::Map(Vec::new())),
        ("ip_version", Data::Short(4)),
        ("languages", Data::Array),
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
    Array,
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
            // An empty one of the extended types: 11 is 7 + 4.
            Data::Array => bytes.extend_from_slice(&[0, 4]),
        }
    }
}
