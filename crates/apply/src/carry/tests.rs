//! A plan is ended, or starved of space, at every single step: afterwards its files are all as before, or all as after.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use mailward_audit::plan::{Plan, Program};

use super::*;
use crate::disk::Real;
use crate::prepared::VERSION;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The process ends: nothing is done any more.
    Killed,
    /// From here on there is no space.
    Full,
}

/// Counts steps, and lets one of them go wrong.
#[derive(Debug)]
struct Steps {
    left: usize,
    fault: Fault,
    taken: Vec<&'static str>,
}

type Shared = Rc<RefCell<Steps>>;

fn steps(left: usize, fault: Fault) -> Shared {
    Rc::new(RefCell::new(Steps { left, fault, taken: Vec::new() }))
}

fn step(shared: &Shared, name: &'static str, needs_space: bool) -> io::Result<()> {
    let mut steps = shared.borrow_mut();
    steps.taken.push(name);
    if steps.left > 0 {
        steps.left -= 1;
        return Ok(());
    }
    match steps.fault {
        Fault::Killed => Err(io::Error::other("killed")),
        Fault::Full if needs_space => Err(io::ErrorKind::StorageFull.into()),
        Fault::Full => Ok(()),
    }
}

struct Faulty(Shared);

impl Disk for Faulty {
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        step(&self.0, "folder", true)?;
        Real.folder(path)
    }

    fn unfold(&mut self, path: &Path) -> io::Result<()> {
        step(&self.0, "unfold", false)?;
        Real.unfold(path)
    }

    fn stage(&mut self, path: &Path, state: &State, like: Option<&Path>) -> io::Result<()> {
        step(&self.0, "stage", true)?;
        Real.stage(path, state, like)
    }

    fn place(&mut self, staged: &Path, target: &Path) -> io::Result<()> {
        step(&self.0, "place", false)?;
        Real.place(staged, target)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        step(&self.0, "remove", false)?;
        Real.remove(path)
    }

    fn forget(&mut self, folder: &Path) -> io::Result<()> {
        step(&self.0, "forget", false)?;
        Real.forget(folder)
    }

    fn own(&mut self, path: &Path, rights: Rights) -> io::Result<()> {
        step(&self.0, "own", false)?;
        Real.own(path, rights)
    }

    fn note(&mut self, journal: &Path, line: &str) -> io::Result<()> {
        step(&self.0, "note", true)?;
        Real.note(journal, line)
    }
}

/// Programs that take everything, and a proof that succeeds.
struct Quiet(Shared);

impl Around for Quiet {
    fn reload(&mut self) -> Result<(), String> {
        step(&self.0, "reload", false).map_err(|error| error.to_string())
    }

    fn prove(&mut self) -> Result<(), String> {
        step(&self.0, "prove", false).map_err(|error| error.to_string())
    }
}

/// A folder with files of every kind, and a plan that changes each in its way.
struct Place {
    scratch: tempfile::TempDir,
    prepared: Prepared,
}

/// Name, bytes, mode, owner and, where it must not change, the time.
type Seen = BTreeMap<String, (Vec<u8>, u32, u32, u32, Option<(i64, i64)>)>;

impl Place {
    fn new() -> Self {
        // In memory, where there is such a place: these tests sync thousands of times.
        let memory = Path::new("/dev/shm");
        let scratch =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let etc = scratch.path().join("etc");
        fs::create_dir_all(etc.join("folder")).unwrap();
        let old = [
            ("main.cf", "a = 1\n", 0o640),
            ("table", "x y\n", 0o600),
            ("log", "grows\n", 0o666),
            ("gone", "bye", 0o644),
        ];
        for (name, text, mode) in old {
            fs::write(etc.join(name), text).unwrap();
            fs::set_permissions(etc.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::write(etc.join("table.db"), [0xff, 0, 1]).unwrap();
        for entry in fs::read_dir(&etc).unwrap() {
            let file = fs::File::open(entry.unwrap().path()).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789)).unwrap();
        }
        let prepared = prepared(&etc);
        Self { scratch, prepared }
    }

    fn site(&self) -> Site<'static> {
        Site {
            prefix: Vec::new(),
            compose: None,
            on_host: &|path| Some(PathBuf::from(path)),
            state: self.scratch.path().join("state"),
        }
    }

    fn history(&self) -> History {
        History::open(&self.scratch.path().join("state")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join("etc").join(name)
    }

    fn seen(&self, times: bool) -> Seen {
        let entries = fs::read_dir(self.scratch.path().join("etc")).unwrap();
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let known = entry.metadata().unwrap();
                let bytes =
                    if known.is_file() { fs::read(entry.path()).unwrap() } else { inside(&entry.path()) };
                let time = (times && known.is_file()).then(|| (known.mtime(), known.mtime_nsec()));
                let name = entry.file_name().into_string().unwrap();
                (name, (bytes, known.mode(), known.uid(), known.gid(), time))
            })
            .collect()
    }

    /// Carries the plan out, with something going wrong.
    fn carry(&self, shared: &Shared) -> Result<(String, Vec<String>), ApplyError> {
        let (mut disk, mut around) = (Faulty(Rc::clone(shared)), Quiet(Rc::clone(shared)));
        super::carry(&self.history(), &self.prepared, &mut disk, &mut around)
    }

    fn carried(&self) -> Seen {
        self.carry(&steps(usize::MAX, Fault::Killed)).unwrap();
        self.seen(false)
    }
}

/// Names and bytes of the files in a folder.
fn inside(folder: &Path) -> Vec<u8> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths: BTreeSet<PathBuf> = paths.collect();
    paths
        .iter()
        .flat_map(|path| [path.file_name().unwrap().as_encoded_bytes(), &fs::read(path).unwrap()].concat())
        .collect()
}

fn prepared(etc: &Path) -> Prepared {
    let file = |name: &str, whole: bool, change: &dyn Fn(State) -> State| {
        let host = etc.join(name);
        let before = State::read(&host, whole).unwrap();
        let after = change(before.clone());
        let path = host.to_string_lossy().into_owned();
        File {
            path,
            host,
            programs: BTreeSet::from([Program::Nobody]),
            before,
            after,
            steps: vec![],
            made: false,
        }
    };
    let of = |bytes: &[u8]| {
        let content = Content::of(bytes.to_vec());
        move |state: State| {
            let mode = state.rights().map_or(0o644, |rights| rights.mode);
            let known = fs::metadata(etc).unwrap();
            let rights = Rights { mode, uid: known.uid(), gid: known.gid() };
            State::File { content: content.clone(), rights, times: None }
        }
    };
    let turned = |mode: u32| {
        move |state: State| {
            let rights = Rights { mode, ..state.rights().unwrap() };
            match state {
                State::File { content, times, .. } => State::File { content, rights, times },
                _ => State::Rights { rights },
            }
        }
    };
    let owner = Rights::of(&fs::metadata(etc).unwrap());
    let files = vec![
        file("main.cf", true, &of(b"a = 2\n")),
        file("table", true, &of(b"x z\n")),
        file("table.db", true, &of(&[0xfe, 9])),
        file("new.conf", true, &of(b"brand new\n")),
        file("fresh", true, &|_| State::Folder { rights: Rights { mode: 0o750, ..owner } }),
        file("fresh/key", true, &of(b"inside\n")),
        file("log", false, &turned(0o600)),
        file("folder", false, &turned(0o700)),
        file("gone", true, &|_| State::Absent),
    ];
    Prepared {
        version: VERSION,
        plan: Plan { title: "test".into(), ..Plan::default() },
        files,
        effective: BTreeMap::new(),
    }
}

/// Runs something with the fault at every step until it is not reached any more; how many steps there are.
fn at_every_step(fault: Fault, mut run: impl FnMut(&Place, &Shared)) -> usize {
    for at in 0.. {
        let place = Place::new();
        let shared = steps(at, fault);
        run(&place, &shared);
        if shared.borrow().taken.len() <= at {
            return at;
        }
    }
    unreachable!("usize is large");
}

#[test]
fn killed_at_any_step_it_is_all_before_or_all_after() {
    let (mut before, mut after) = (0, 0);
    let count = at_every_step(Fault::Killed, |place, shared| {
        let was = place.seen(true);
        let shall = Place::new().carried();
        let result = place.carry(shared);
        let recovered = place.history().recover(&place.site()).unwrap();
        if place.seen(true) == was {
            before += 1;
            assert!(result.is_err(), "{shared:?}");
        } else {
            after += 1;
            assert_eq!(place.seen(false), shall, "{shared:?}");
            assert!(result.is_ok() || recovered.iter().all(|plan| plan.finished), "{shared:?}");
        }
        assert_eq!(place.history().recover(&place.site()).unwrap(), [], "nothing is left to be done");
    });
    assert!(count > 50 && before > 30 && after > 10, "{count} steps: {before} before, {after} after");
    eprintln!("{count} steps: {before} end as before, {after} as after");
}

#[test]
fn without_space_at_any_step_it_is_as_before_at_once() {
    let count = at_every_step(Fault::Full, |place, shared| {
        let was = place.seen(true);
        match place.carry(shared) {
            Ok(_) => assert_eq!(place.seen(false), Place::new().carried(), "{shared:?}"),
            Err(error) => {
                assert_eq!(place.seen(true), was, "{shared:?} {error}");
                assert!(matches!(error, ApplyError::Full { .. }), "{error}");
            }
        }
        let is_after = place.seen(true) != was;
        // Space is there again, and somebody looks.
        place.history().recover(&place.site()).unwrap();
        assert_eq!(place.seen(true) != was, is_after, "{shared:?}");
    });
    assert!(count > 50, "{count}");
}

#[test]
fn killed_again_while_it_is_taken_back() {
    let mut runs = 0;
    at_every_step(Fault::Killed, |place, shared| {
        let was = place.seen(true);
        let failed = place.carry(shared).is_err();
        for again in 0.. {
            let other = steps(again, Fault::Killed);
            let result = recover(&place.history(), &place.site(), &mut Faulty(Rc::clone(&other)));
            runs += 1;
            if other.borrow().taken.len() <= again {
                result.unwrap();
                break;
            }
        }
        let is_before = place.seen(true) == was;
        assert!(is_before || place.seen(false) == Place::new().carried(), "{shared:?}");
        assert!(failed || !is_before);
        assert!(place.history().entries().iter().all(Entry::is_over));
    });
    assert!(runs > 200, "{runs}");
}

#[test]
fn undo_restores_everything_wherever_it_is_killed() {
    let count = at_every_step(Fault::Killed, |place, shared| {
        let was = place.seen(true);
        let shall = place.carried();
        let undone = undo(&place.history(), &place.site(), None, &mut Faulty(Rc::clone(shared)));
        place.history().recover(&place.site()).unwrap();
        if undone.is_ok() || place.seen(true) == was {
            assert_eq!(place.seen(true), was, "{shared:?}");
        } else {
            // Nothing was begun: whoever asks again gets it.
            let rest = place.seen(false).into_iter().filter(|(name, _)| !name.starts_with('.'));
            assert_eq!(rest.collect::<Seen>(), shall, "{shared:?}");
            place.history().undo(&place.site(), None).unwrap();
            assert_eq!(place.seen(true), was, "{shared:?}");
        }
    });
    assert!(count > 25, "{count}");
}

#[test]
fn undo_without_space_changes_nothing() {
    at_every_step(Fault::Full, |place, shared| {
        let was = place.seen(true);
        let shall = place.carried();
        match undo(&place.history(), &place.site(), None, &mut Faulty(Rc::clone(shared))) {
            Ok(_) => assert_eq!(place.seen(true), was, "{shared:?}"),
            Err(error) => {
                assert!(matches!(error, ApplyError::Full { .. }), "{error}");
                let now = place.seen(false);
                assert!(now == shall || place.seen(true) == was, "{shared:?}");
            }
        }
    });
}

/// Programs that refuse, or a proof that fails.
struct Refusing {
    reload: bool,
    reloads: usize,
}

impl Around for Refusing {
    fn reload(&mut self) -> Result<(), String> {
        self.reloads += 1;
        if self.reload && self.reloads == 1 { Err("it does not want to".into()) } else { Ok(()) }
    }

    fn prove(&mut self) -> Result<(), String> {
        Err("port 25: greeting worked before and does not now".into())
    }
}

#[test]
fn what_is_refused_is_taken_back_and_the_programs_are_told_again() {
    for reload in [true, false] {
        let place = Place::new();
        let was = place.seen(true);
        let mut around = Refusing { reload, reloads: 0 };
        let error = super::carry(&place.history(), &place.prepared, &mut Real, &mut around).unwrap_err();
        assert!(matches!(error, ApplyError::TakenBack { .. }), "{error}");
        assert_eq!(place.seen(true), was);
        assert_eq!(around.reloads, 2);
        let entries = place.history().entries();
        assert_eq!(entries.first().map(|entry| entry.stage), Some(Stage::Undone));
        assert!(entries.first().unwrap().why.is_some());
    }
}

#[test]
fn a_foreign_edit_is_noticed_and_never_overwritten() {
    let place = Place::new();
    fs::write(place.path("table"), "somebody else\n").unwrap();
    let was = place.seen(true);
    let error = place.carry(&steps(usize::MAX, Fault::Killed)).unwrap_err();
    assert!(matches!(&error, ApplyError::Stale { path } if path.ends_with("table")), "{error}");
    assert_eq!(place.seen(true), was);

    let place = Place::new();
    place.carried();
    fs::write(place.path("table"), "somebody else\n").unwrap();
    let was = place.seen(true);
    let error = place.history().undo(&place.site(), None).unwrap_err();
    assert!(matches!(&error, ApplyError::Foreign { path, .. } if path.ends_with("table")), "{error}");
    assert_eq!(place.seen(true), was);
}

#[test]
fn an_edit_after_a_crash_is_left_alone_and_named() {
    let place = Place::new();
    let shared = steps(usize::MAX, Fault::Killed);
    place.carry(&shared).unwrap();
    // The last step before the plan is proved.
    let prove = shared.borrow().taken.iter().position(|name| *name == "prove").unwrap();
    let place = Place::new();
    place.carry(&steps(prove, Fault::Killed)).unwrap_err();
    fs::write(place.path("main.cf"), "somebody else\n").unwrap();
    let recovered = place.history().recover(&place.site()).unwrap();
    let left = &recovered.first().unwrap().left;
    assert_eq!(left.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), [place.path("main.cf")]);
    assert_eq!(fs::read_to_string(&left.first().unwrap().1).unwrap(), "a = 1\n", "what it was is kept");
    assert_eq!(fs::read_to_string(place.path("main.cf")).unwrap(), "somebody else\n");
    assert_eq!(fs::read_to_string(place.path("table")).unwrap(), "x y\n");
    assert!(!place.path("new.conf").exists());
}

#[test]
fn a_journal_cut_off_anywhere_is_taken_back_or_finished() {
    let whole = {
        let place = Place::new();
        place.carried();
        fs::read(place.history().entries().first().unwrap().journal()).unwrap()
    };
    for length in 0..whole.len() {
        let place = Place::new();
        let was = place.seen(true);
        let shall = place.carried();
        let journal = place.history().entries().first().unwrap().journal();
        let bytes = fs::read(&journal).unwrap();
        fs::write(&journal, bytes.get(..length).unwrap()).unwrap();
        place.history().recover(&place.site()).unwrap();
        assert!(place.seen(true) == was || place.seen(false) == shall, "cut at {length}");
        assert!(place.history().entries().iter().all(Entry::is_over), "cut at {length}");
    }
}

#[test]
fn the_newest_plan_is_undone_first() {
    let place = Place::new();
    let was = place.seen(true);
    place.carried();
    let first = place.history().entries().first().unwrap().id.clone();
    let second = Prepared {
        files: vec![{
            let file = place.prepared.files.first().unwrap();
            let before = State::read(&file.host, true).unwrap();
            let rights = before.rights().unwrap();
            let after = State::File { content: Content::of(b"a = 3\n".to_vec()), rights, times: None };
            File { before, after, ..file.clone() }
        }],
        ..place.prepared.clone()
    };
    let shared = steps(usize::MAX, Fault::Killed);
    super::carry(&place.history(), &second, &mut Real, &mut Quiet(shared)).unwrap();
    let error = place.history().undo(&place.site(), Some(&first)).unwrap_err();
    assert!(matches!(&error, ApplyError::Later { id, .. } if *id == first), "{error}");
    place.history().undo(&place.site(), None).unwrap();
    place.history().undo(&place.site(), None).unwrap();
    assert_eq!(place.seen(true), was);
    let error = place.history().undo(&place.site(), None).unwrap_err();
    assert!(matches!(error, ApplyError::NoPlan { .. }), "{error}");
}

#[test]
fn one_at_a_time() {
    let place = Place::new();
    let held = place.history();
    let error = History::open(&place.site().state).unwrap_err();
    assert!(
        matches!(&error, ApplyError::Busy { owner } if *owner == std::process::id().to_string()),
        "{error}"
    );
    drop(held);
    place.history();
}
