//! Trial restores.

use mailward_model::Timestamp;
use mailward_store::{Proof, Proofs};

#[test]
fn what_was_proven_is_there_after_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("state/backup.db");
    assert!(Proofs::existing(&path).unwrap().is_none());
    let proof = |day: i64, fine| Proof {
        taken: Timestamp::from_micros(day * 86_400_000_000),
        repository: "one".into(),
        snapshot: format!("{day:064}"),
        fine,
        report: "{}".into(),
    };
    let all = [proof(1, true), proof(2, false)];
    for proof in &all {
        Proofs::open(&path).unwrap().record(proof).unwrap();
    }
    assert_eq!(Proofs::existing(&path).unwrap().unwrap().all().unwrap(), all);
}
