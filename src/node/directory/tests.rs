//! A data directory on a real file system: modes, damage, and several users of it at once.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::{env, thread};

use tempfile::TempDir;

use super::*;

/// A directory inside a temporary one.
fn directory() -> (TempDir, Directory) {
    let outer = tempfile::tempdir().unwrap();
    let directory = Directory::open_or_create(&outer.path().join("data")).unwrap();
    (outer, directory)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn names(directory: &Directory) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The golden key file of the seed [7; 32].
const KEY: &str = concat!(
    "706565726d716b31",
    "00",
    "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
    "0707070707070707070707070707070707070707070707070707070707070707",
    "4d96df6f30ad3f686f75594d25b7e978fa71760af00630bcd85392b4896bd88b",
);

#[test]
fn a_new_directory_is_its_owners_alone_and_so_is_all_that_leads_to_it() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("some/where/data");
    let directory = Directory::open_or_create(&path).unwrap();
    for path in [&path, &outer.path().join("some/where"), &outer.path().join("some")] {
        assert_eq!(mode(path), 0o700);
    }
    directory.identity(|| [7; 32]).unwrap();
    let lock = directory.lock().unwrap();
    directory.remember_port(&lock, 4_711).unwrap();
    assert_eq!(names(&directory), ["key", "lock", "port"]);
    for name in names(&directory) {
        assert_eq!(mode(&path.join(name)), 0o600);
    }
}

#[test]
fn an_empty_directory_is_taken_over_and_one_that_others_can_write_to_is_refused() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("data");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o775)).unwrap();
    let directory = Directory::open_or_create(&path).unwrap();
    assert_eq!(mode(&path), 0o700);

    directory.identity(|| [7; 32]).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    Directory::open_or_create(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o770)).unwrap();
    let refused = Directory::open_or_create(&path).unwrap_err();
    let mode = DirectoryError::WritableByOthers { path: path.clone(), mode: 0o770 };
    assert_eq!(refused.to_string(), mode.to_string());

    let sticky = outer.path().join("tmp");
    fs::create_dir(&sticky).unwrap();
    fs::set_permissions(&sticky, Permissions::from_mode(0o1777)).unwrap();
    let refused = Directory::open_or_create(&sticky).unwrap_err();
    assert!(matches!(refused, DirectoryError::WritableByOthers { mode: 0o1777, .. }));
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("file");
    fs::write(&path, "").unwrap();
    for path in [path.clone(), path.join("data")] {
        let refused = Directory::open_or_create(&path).unwrap_err();
        assert!(matches!(refused, DirectoryError::NotDirectory { .. }), "{refused}");
    }
}

#[test]
fn an_identity_is_made_once_in_the_golden_form() {
    let (_outer, directory) = directory();
    let made = directory.identity(|| [7; 32]).unwrap();
    let key = directory.path().join("key");
    assert_eq!(hex::encode(fs::read(&key).unwrap()), KEY);
    let read = directory.identity(|| unreachable!("there is a key")).unwrap();
    assert_eq!(read.id(), made.id());

    fs::write(&key, hex::decode(KEY).unwrap()).unwrap();
    assert_eq!(directory.identity(|| unreachable!()).unwrap().id(), made.id());
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let (_outer, directory) = directory();
    directory.identity(|| [7; 32]).unwrap();
    let key = directory.path().join("key");
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        let refused = directory.identity(|| unreachable!()).unwrap_err();
        assert!(matches!(refused, DirectoryError::KeyExposed { mode: m, .. } if m == mode));
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }
    fs::set_permissions(&key, Permissions::from_mode(0o400)).unwrap();
    directory.identity(|| unreachable!()).unwrap();
}

#[test]
fn a_key_behind_a_link_is_refused_also_one_that_leads_nowhere() {
    let (outer, directory) = directory();
    let key = directory.path().join("key");
    let elsewhere = outer.path().join("elsewhere");
    symlink(&elsewhere, &key).unwrap();
    for _ in 0..2 {
        let refused = directory.identity(|| [7; 32]).unwrap_err();
        assert!(matches!(refused, DirectoryError::NotFile { .. }), "{refused}");
        assert!(!elsewhere.exists() || fs::read(&elsewhere).unwrap() == b"key");
        fs::write(&elsewhere, "key").unwrap();
    }
    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    let refused = directory.identity(|| [7; 32]).unwrap_err();
    assert!(matches!(refused, DirectoryError::NotFile { .. }), "{refused}");
}

#[test]
fn a_key_of_other_bytes_is_refused_by_what_is_wrong() {
    let (_outer, directory) = directory();
    directory.identity(|| [7; 32]).unwrap();
    let key = directory.path().join("key");
    let good = fs::read(&key).unwrap();
    let refusal = |bytes: &[u8]| {
        fs::write(&key, bytes).unwrap();
        directory.identity(|| unreachable!()).unwrap_err()
    };
    let long = [&good[..], &[0]].concat();
    let other = [b"-----BEGIN", &good[..]].concat();
    for bytes in [&[][..], &good[..8], &good[..104], &long, &other] {
        assert!(matches!(refusal(bytes), DirectoryError::NotKey { .. }), "{}", refusal(bytes));
    }
    for place in 9..good.len() {
        let mut damaged = good.clone();
        damaged[place] ^= 1;
        assert!(matches!(refusal(&damaged), DirectoryError::KeyDamaged { .. }), "byte {place}");
    }
    let mut newer = good[..60].to_vec();
    newer[8] = 2;
    assert!(matches!(refusal(&newer), DirectoryError::KeyKind { kind: 2, .. }));
}

#[test]
fn threads_that_come_first_together_agree_on_one_key() {
    let (_outer, directory) = directory();
    let start = Barrier::new(8);
    let first = |seed: u8| {
        start.wait();
        directory.identity(|| [seed; 32]).unwrap().id()
    };
    let ids: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|seed| scope.spawn(move || first(seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(names(&directory), ["key"], "no draft is left");
}

#[test]
fn processes_that_come_first_together_agree_on_one_key() {
    let (_outer, directory) = directory();
    let others: Vec<_> = (1..=3).map(|seed| another_process("id", seed, &directory)).collect();
    let id = directory.identity(|| [0; 32]).unwrap().id().to_string();
    for other in others {
        let output = String::from_utf8(other.wait_with_output().unwrap().stdout).unwrap();
        assert!(output.contains(&id), "{output}");
    }
    assert_eq!(names(&directory), ["key"], "no draft is left");
}

#[test]
fn what_a_kill_left_of_a_key_in_the_making_goes_with_the_next_holder() {
    let (_outer, directory) = directory();
    let id = directory.identity(|| [7; 32]).unwrap().id();
    let path = directory.path();
    fs::hard_link(path.join("key"), path.join(format!("key.{id}"))).unwrap();
    fs::copy(path.join("key"), path.join("key.new")).unwrap();
    fs::copy(path.join("key"), path.join("key.mine")).unwrap();
    let _lock = directory.lock().unwrap();
    assert_eq!(names(&directory), ["key", "key.mine", "lock"]);
    assert_eq!(directory.id(|| [0; 32]).unwrap(), id);
}

#[test]
fn a_second_holder_learns_who_is_first() {
    let (_outer, directory) = directory();
    let lock = directory.lock().unwrap();
    let refused = directory.lock().unwrap_err();
    let pid = std::process::id();
    assert!(matches!(refused, DirectoryError::Held { pid: Some(p), .. } if p == pid));
    assert!(refused.to_string().contains(&format!("process {pid}")), "{refused}");
    drop(lock);
    directory.lock().unwrap();
}

#[test]
fn a_lock_ends_with_its_process_and_its_file_stays() {
    let (_outer, directory) = directory();
    let mut other = another_process("lock", 0, &directory);
    let mut line = String::new();
    let output = other.stdout.take().unwrap();
    let mut output = BufReader::new(output);
    while !line.contains("locked") {
        line.clear();
        output.read_line(&mut line).unwrap();
    }
    let refused = directory.lock().unwrap_err();
    assert!(matches!(refused, DirectoryError::Held { pid: Some(p), .. } if p == other.id()));
    other.kill().unwrap();
    other.wait().unwrap();
    let _lock = directory.lock().unwrap();
    let text = fs::read_to_string(directory.path().join("lock")).unwrap();
    assert_eq!(text, format!("{:<10}\n", std::process::id()));
}

#[cfg(all(feature = "sled", feature = "redb"))]
#[test]
fn a_directory_keeps_the_store_that_it_was_made_with() {
    let (_outer, directory) = directory();
    let lock = directory.lock().unwrap();
    let kind = |wanted| directory.store_kind(&lock, wanted);
    assert_eq!(kind(Some(Kind::Redb)).unwrap(), Kind::Redb);
    let text = fs::read_to_string(directory.path().join("format")).unwrap();
    assert_eq!(text, "peermq-format 2\nstore redb\n");
    assert_eq!(mode(&directory.path().join("format")), 0o600);
    assert_eq!(kind(None).unwrap(), Kind::Redb);
    assert_eq!(kind(Some(Kind::Redb)).unwrap(), Kind::Redb);
    let refused = kind(Some(Kind::Sled)).unwrap_err().to_string();
    assert!(refused.starts_with("expected the store redb, "), "{refused}");
    assert!(refused.contains("got sled"), "{refused}");
}

#[cfg(feature = "sled")]
#[test]
fn a_directory_made_without_a_wish_has_the_default_store() {
    let (_outer, directory) = directory();
    let lock = directory.lock().unwrap();
    assert_eq!(directory.store_kind(&lock, None).unwrap(), Kind::Sled);
}

#[test]
fn a_format_that_is_newer_or_older_or_damaged_or_of_no_known_store_is_refused() {
    let (_outer, directory) = directory();
    let lock = directory.lock().unwrap();
    let refusal = |text: &str| {
        fs::write(directory.path().join("format"), text).unwrap();
        directory.store_kind(&lock, None).unwrap_err()
    };
    let newer = refusal("peermq-format 3\nwhatever comes then");
    assert!(matches!(newer, DirectoryError::FormatNewer { known: 2, got: 3, .. }), "{newer}");
    let older = refusal("peermq-format 1\nstore sled\n");
    assert!(matches!(older, DirectoryError::FormatOlder { known: 2, got: 1, .. }), "{older}");
    let unknown = refusal("peermq-format 2\nstore lmdb\n");
    assert!(matches!(unknown, DirectoryError::StoreNotBuilt { .. }), "{unknown}");
    let long = format!("peermq-format 2\nstore {}\n", "x".repeat(100));
    for text in
        ["", "sled", "peermq-format 0\n", "peermq-format 2\n", "peermq-format 2\nstore sled", &long]
    {
        let refused = refusal(text);
        assert!(matches!(refused, DirectoryError::FormatUnreadable { .. }), "{refused}");
    }
}

#[test]
fn a_store_without_its_format_is_refused() {
    let (_outer, directory) = directory();
    let lock = directory.lock().unwrap();
    fs::create_dir(directory.store()).unwrap();
    fs::write(directory.store().join("db"), "x").unwrap();
    let refused = directory.store_kind(&lock, None).unwrap_err();
    assert!(matches!(refused, DirectoryError::FormatMissing { .. }), "{refused}");
}

#[test]
fn a_port_is_remembered_and_anything_else_is_none() {
    let (_outer, directory) = directory();
    assert_eq!(directory.port().unwrap(), None);
    let lock = directory.lock().unwrap();
    for port in [65_535, 1] {
        directory.remember_port(&lock, port).unwrap();
        assert_eq!(directory.port().unwrap(), Some(port));
    }
    for text in ["", "x", "65536", "-1", "\u{fffd}"] {
        fs::write(directory.path().join("port"), text).unwrap();
        assert_eq!(directory.port().unwrap(), None, "{text:?}");
    }
}

#[test]
fn a_socket_is_bound_and_dialled_however_long_its_path_is() {
    let outer = tempfile::tempdir().unwrap();
    for name in ["short".to_owned(), "long".repeat(30)] {
        let directory = Directory::open_or_create(&outer.path().join(&name)).unwrap();
        let bound = directory.socket_path().unwrap();
        let listener = UnixListener::bind(&bound).unwrap();
        let dialled = directory.socket_path().unwrap();
        let _stream = UnixStream::connect(&dialled).unwrap();
        listener.accept().unwrap();
        assert_eq!(names(&directory), ["api.sock"]);
        assert_eq!(bound.as_ref().starts_with("/proc"), name != "short");
    }
}

#[test]
fn a_directory_that_may_not_be_read_is_named() {
    let (outer, directory) = directory();
    fs::set_permissions(outer.path(), Permissions::from_mode(0o755)).unwrap();
    let stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    refusal_within(&stranger, &directory, "this user can read and write, got permission denied");
}

#[test]
fn a_read_only_disk_is_named() {
    let (_outer, directory) = directory();
    let mount = "mount --bind $0 $0 && mount -o remount,ro,bind $0 && exec \"$@\"";
    let path = directory.path().to_str().unwrap();
    let read_only = ["unshare", "--mount", "sh", "-c", mount, path];
    refusal_within(&read_only, &directory, "got a read-only disk");
}

/// Looks for what another process says when `wrapper` starts it; wants to be root.
fn refusal_within(wrapper: &[&str], directory: &Directory, expected: &str) {
    let works = Command::new(wrapper[0]).args(&wrapper[1..]).arg("true").output();
    if !works.is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: {} may not be used here", wrapper[0]);
    }
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(env::current_exe().unwrap());
    let output = task(&mut command, "id", 1, directory).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains(expected), "{text}");
}

const ANOTHER_PROCESS: &str = "node::directory::tests::in_another_process";
const TASK: &str = "PEERMQ_TEST_TASK";
const SEED: &str = "PEERMQ_TEST_SEED";
const DIRECTORY: &str = "PEERMQ_TEST_DIRECTORY";

/// Starts this test program once more, for one task.
fn another_process(name: &str, seed: u8, directory: &Directory) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    task(&mut command, name, seed, directory).stdout(Stdio::piped()).spawn().unwrap()
}

fn task<'a>(
    command: &'a mut Command,
    name: &str,
    seed: u8,
    directory: &Directory,
) -> &'a mut Command {
    command
        .args(["--exact", "--nocapture", ANOTHER_PROCESS])
        .env(TASK, name)
        .env(SEED, seed.to_string())
        .env(DIRECTORY, directory.path())
        .stdin(Stdio::null())
}

/// What another process does; nothing when it is run as one of the tests.
#[test]
fn in_another_process() {
    let Ok(task) = env::var(TASK) else { return };
    let seed: u8 = env::var(SEED).unwrap().parse().unwrap();
    let path = PathBuf::from(env::var_os(DIRECTORY).unwrap());
    let directory = Directory::open_or_create(&path).unwrap_or_else(|error| panic!("{error}"));
    match task.as_str() {
        "id" => println!("{}", directory.identity(|| [seed; 32]).unwrap().id()),
        _ => {
            let _lock = directory.lock().unwrap();
            println!("locked");
            loop {
                thread::park();
            }
        }
    }
}

/// The golden key file of the seed [7; 32] under `golden`, with little work.
const SEALED_KEY: &str = include_str!("../../../tests/golden/sealed-key.txt");

#[test]
fn a_key_under_a_passphrase_has_the_golden_form() {
    let (_outer, directory) = directory();
    let made = directory.identity(|| [7; 32]).unwrap();
    let key = directory.path().join("key");
    let golden = hex::decode(SEALED_KEY.trim_end()).unwrap();
    fs::write(&key, &golden).unwrap();
    assert_eq!(directory.id(|| unreachable!()).unwrap(), made.id());
    let refused = directory.identity(|| unreachable!()).unwrap_err();
    assert!(matches!(refused, DirectoryError::PassphraseMissing { .. }), "{refused}");
    let ask = |text: &'static str| AskPassphrase::new(move || Passphrase::new(text.into()));
    let opened = directory.identity_under(&ask("golden"), || unreachable!()).unwrap();
    assert_eq!(opened.id(), made.id());
    let refused = directory.identity_under(&ask("Golden"), || unreachable!()).unwrap_err();
    assert!(matches!(refused, DirectoryError::PassphraseWrong { .. }), "{refused}");
    assert!(!format!("{refused:?} {:?}", ask("golden")).contains("golden"));
}

#[test]
fn a_sealed_key_with_any_byte_changed_is_refused_before_any_work() {
    let (_outer, directory) = directory();
    directory.identity(|| [7; 32]).unwrap();
    let key = directory.path().join("key");
    let golden = hex::decode(SEALED_KEY.trim_end()).unwrap();
    for place in 9..golden.len() {
        let mut damaged = golden.clone();
        damaged[place] ^= 1;
        fs::write(&key, damaged).unwrap();
        let refused = directory.identity(|| unreachable!()).unwrap_err();
        assert!(matches!(refused, DirectoryError::KeyDamaged { .. }), "byte {place}: {refused}");
    }
    // One that was made to fit asks for more memory than a key may.
    let mut greedy = golden[..golden.len() - 32].to_vec();
    greedy[41..45].copy_from_slice(&u32::MAX.to_be_bytes());
    let checksum = blake3::hash(&greedy);
    fs::write(&key, [&greedy[..], checksum.as_bytes()].concat()).unwrap();
    let ask = AskPassphrase::new(|| Passphrase::new(b"golden".to_vec()));
    let refused = directory.identity_under(&ask, || unreachable!()).unwrap_err();
    assert!(matches!(refused, DirectoryError::PassphraseWrong { .. }), "{refused}");
}

#[test]
fn a_salvaged_store_gets_its_name_once_there_is_no_other() {
    let (_outer, directory) = directory();
    for folder in [directory.store(), directory.salvaged_store()] {
        fs::create_dir(&folder).unwrap();
    }
    fs::write(directory.salvaged_store().join("rows"), "half").unwrap();
    drop(directory.lock().unwrap());
    assert!(!directory.store().join("rows").exists());

    // A repair that was cut off right after it had set the other one aside.
    fs::remove_dir(directory.store()).unwrap();
    drop(directory.lock().unwrap());
    assert!(directory.store().join("rows").exists() && !directory.salvaged_store().exists());
}
