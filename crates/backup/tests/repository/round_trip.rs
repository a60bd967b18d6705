//! What was saved comes back.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use mailward_backup::{Meter, Query};

use crate::make::{Bench, files, restored};

#[test]
fn everything_comes_back_as_it_was() {
    let bench = Bench::new();
    let mailbox = bench.mailbox("anna", 30);
    fs::write(mailbox.join("empty"), "").unwrap();
    fs::write(mailbox.join(std::ffi::OsString::from_vec(b"not \xff utf-8 \"\\\n".to_vec())), "odd").unwrap();
    fs::write(mailbox.join("large"), (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>())
        .unwrap();
    symlink("../somewhere", mailbox.join("link")).unwrap();
    fs::hard_link(mailbox.join("large"), mailbox.join("same")).unwrap();
    fs::set_permissions(mailbox.join("large"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(mailbox.join("tmp"), fs::Permissions::from_mode(0o2770)).unwrap();

    let repository = bench.create();
    let captured = bench.capture(&repository);
    assert_eq!((captured.passes, captured.unread.len(), captured.restless.len()), (1, 0, 0));
    let into = bench.path("back");
    let done = repository.restore(&captured.snapshot, &[], &into, &Meter::silent()).unwrap();
    let back = restored(&into, &bench.path("mail"));
    assert_eq!(files(&back), files(&bench.path("mail")));
    for name in ["anna/large", "anna/tmp", "anna/cur"] {
        let (was, is) =
            (fs::metadata(bench.path("mail").join(name)).unwrap(), fs::metadata(back.join(name)).unwrap());
        assert_eq!((was.mode(), was.mtime(), was.uid()), (is.mode(), is.mtime(), is.uid()), "{name}");
    }
    assert_eq!(fs::metadata(back.join("anna/large")).unwrap().nlink(), 2);

    let verified = repository.verify(&captured.snapshot, &[], &into).unwrap();
    assert_eq!((verified.files, verified.wrong.len()), (done.files + 1, 0));
    let again = repository.restore(&captured.snapshot, &[], &into, &Meter::silent()).unwrap();
    assert_eq!((again.files, again.there), (0, verified.files), "a restore goes on where it was");

    fs::write(back.join("anna/large"), "tampered").unwrap();
    let verified = repository.verify(&captured.snapshot, &[], &into).unwrap();
    assert_eq!(verified.wrong, [bench.path("mail/anna/large"), bench.path("mail/anna/same")]);
}

#[test]
fn a_second_backup_reads_nothing_anew() {
    let bench = Bench::new();
    bench.mailbox("anna", 30);
    let repository = bench.create();
    let first = bench.capture(&repository);
    let second = bench.capture(&bench.open());
    assert!(first.snapshot.added > 1000);
    assert_eq!((second.snapshot.added, second.snapshot.files), (0, first.snapshot.files));
    assert_eq!(repository.snapshots().unwrap().len(), 2);
    assert_eq!(repository.snapshot("latest").unwrap(), second.snapshot);
    assert_eq!(repository.snapshot(&first.snapshot.id[..8]).unwrap(), first.snapshot);
    assert!(repository.snapshot("").is_err());
}

#[test]
fn a_message_is_found_by_what_stands_in_it() {
    let bench = Bench::new();
    bench.mailbox("anna", 12);
    bench.mailbox("bert", 12);
    let repository = bench.create();
    let snapshot = bench.capture(&repository).snapshot;
    let find = |below: &[PathBuf], query: &Query| repository.find(&snapshot, below, query).unwrap();
    let subject = Query { subject: Some("grüße 7".into()), ..Query::default() };
    assert_eq!(find(&[], &subject).len(), 2, "of both accounts");
    let found = find(&[bench.path("mail/anna")], &subject);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].from.as_str(), found[0].sent), ("Ada <ada7@example.net>", Some(1_760_052_792)));
    let id = Query { message_id: Some("<3.bert@example.net>".into()), ..Query::default() };
    let found = find(&[], &id);
    assert_eq!(found.len(), 1);
    let into = bench.path("back");
    let done =
        repository.restore(&snapshot, std::slice::from_ref(&found[0].path), &into, &Meter::silent()).unwrap();
    assert_eq!(done.files, 1);
    assert_eq!(fs::read(restored(&into, &found[0].path)).unwrap(), fs::read(&found[0].path).unwrap());
    for (query, count) in [
        (Query { address: Some("bert@EXAMPLE.org".into()), ..Query::default() }, 12),
        (Query { text: Some("line 5 of".into()), ..Query::default() }, 2),
        (Query { text: Some("line 5 of".into()), address: Some("nobody".into()), ..Query::default() }, 0),
    ] {
        assert_eq!(find(&[], &query).len(), count, "{query:?}");
    }
}

#[test]
fn what_is_not_there_is_told() {
    let bench = Bench::new();
    bench.mailbox("anna", 3);
    let repository = bench.create();
    let snapshot = bench.capture(&repository).snapshot;
    let missing = [PathBuf::from("/etc/nothing")];
    let error = repository.restore(&snapshot, &missing, &bench.path("back"), &Meter::silent()).unwrap_err();
    assert!(error.to_string().contains("/etc/nothing is not in snapshot"), "{error}");
    assert!(!bench.path("back").exists());
    let error = repository.snapshot("0000").unwrap_err().to_string();
    assert!(error.contains("mailward backup list"), "{error}");
}
