//! The history of audits.

use mailward_model::Timestamp;
use mailward_store::Audits;

#[test]
fn the_last_audit_of_a_host_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audits.sqlite");
    let mut audits = Audits::open(&path).unwrap();
    assert_eq!(audits.last("mail.example.org").unwrap(), None);
    for number in 0..105 {
        let taken = Timestamp::from_secs(number);
        audits.record(taken, "mail.example.org", &format!("report {number}")).unwrap();
    }
    audits.record(Timestamp::from_secs(7), "mail.example.net", "another host").unwrap();
    drop(audits);
    let audits = Audits::open(&path).unwrap();
    assert_eq!(audits.last("mail.example.org").unwrap().as_deref(), Some("report 104"));
    assert_eq!(audits.last("mail.example.net").unwrap().as_deref(), Some("another host"));
    let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_no_database_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audits.sqlite");
    std::fs::write(&path, "this is a text and no database, however long it may be").unwrap();
    let told = Audits::open(&path).unwrap_err().to_string();
    assert!(told.contains("audits.sqlite"), "{told}");
}
