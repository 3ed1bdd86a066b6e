use super::*;
use secrule_testkit::places::database;

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
