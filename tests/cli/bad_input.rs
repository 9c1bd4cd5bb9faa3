//! Bad input: one line that says what was expected and what came, and the right status; nothing
//! lost, no hang.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::support::{Machine, PATIENCE, Running, archived, write};

/// RFC 8032 §7.1, test 1.
const ID: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

#[test]
fn what_is_no_id_is_named() {
    let machine = Machine::new();
    let a = machine.node("a");
    let not_canonical = format!("ee{}7f", "ff".repeat(30));
    let wrong = [
        ("", "64 hex digits, got 0 digits"),
        ("abcd", "64 hex digits, got 4 digits"),
        (&ID.replace('d', "g"), "got the character 'g'"),
        (&not_canonical, "encode no point canonically"),
        (&"00".repeat(32), "small order"),
    ];
    for (id, expected) in wrong {
        let place = format!("{id}@0");
        let commands: [&[&str]; 6] = [
            &["add-peer", id],
            &["remove-peer", id],
            &["send", "--to", id, "--message", "x"],
            &["connect", id],
            &["show", &place],
            &["archive", &place],
        ];
        for words in commands {
            let line = a.fails(1, words);
            assert!(line.starts_with("peermq: expected ") && line.contains(expected), "{line}");
        }
    }
}

#[test]
fn our_own_id_is_refused() {
    let machine = Machine::new();
    let a = machine.node("a");
    let id = a.id();
    a.fails(1, &["add-peer", &id]);
    a.fails(1, &["send", "--to", &id, "--message", "x"]);
    a.fails(1, &["connect", &id]);
}

#[test]
fn wrong_usage_has_status_2() {
    let machine = Machine::new();
    let a = machine.node("a");
    let wrong: [(&[&str], &str); 8] = [
        (&["sned"], "'send'"),
        (&["send", "--message", "x"], "--to <ID>"),
        (&["send", "--to", ID, "--message", "x", "--file", "y"], "cannot be used with"),
        (&["send", "--to", ID, "--wait", "seen"], "stored, archived"),
        (&["send", "--to", ID, "--wait", "stored", "--timeout", "soon"], "500ms, 30s"),
        (&["add-peer"], "<ID>"),
        (&["add-peer", ID, "--quota", "lots"], "64MiB"),
        (&["messages", "--set", "all"], "unread, archived, sent"),
    ];
    for (words, expected) in wrong {
        let line = a.fails(2, words);
        assert!(line.contains(expected), "{line}");
        assert!(line.contains("--help"), "{line}");
    }
    assert!(!a.directory.exists(), "wrong usage makes nothing");
}

#[test]
fn places_and_addresses_are_checked() {
    let machine = Machine::new();
    let a = machine.node("a");
    for place in [ID.to_owned(), format!("{ID}@"), format!("{ID}@x"), format!("{ID}@1.2.3")] {
        let line = a.fails(1, &["show", &place]);
        assert!(line.contains("FROM@SEQ"), "{line}");
    }
    for verb in [&["listen"][..], &["connect", ID]] {
        let line = a.fails(1, &[verb, &["--addr", "nowhere"]].concat());
        assert!(line.contains("HOST:PORT"), "{line}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = a.fails(1, &["listen", "--addr", &address]);
    assert!(line.contains(&address), "{line}");
}

#[test]
fn files_that_cannot_be_read_send_nothing() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let a_id = a.id();
    let folder = machine.path("").to_str().unwrap().to_owned();
    let missing = machine.path("missing").to_str().unwrap().to_owned();
    for option in ["--file", "--lines"] {
        for path in [&folder, &missing] {
            let line = b.fails(1, &["send", "--to", &a_id, option, path]);
            assert!(line.contains("expected to read"), "{line}");
        }
    }
    assert_eq!(b.succeeds(&["messages", "--set", "sent"]), "");
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let machine = Machine::new();
    let file = machine.node("file");
    write(&file.directory, "no directory");
    for words in [&["id"][..], &["status"], &["listen"]] {
        let line = file.fails(1, words);
        assert!(line.contains(file.directory.to_str().unwrap()), "{line}");
    }
    let exposed = machine.node("exposed");
    exposed.id();
    fs::set_permissions(exposed.directory.join("key"), Permissions::from_mode(0o644)).unwrap();
    let line = exposed.fails(1, &["status"]);
    assert!(line.contains("chmod 600"), "{line}");
}

#[test]
fn a_directory_that_this_user_cannot_read_is_named() {
    let machine = Machine::new();
    let a = machine.node("a");
    a.id();
    fs::set_permissions(&a.directory, Permissions::from_mode(0o000)).unwrap();
    let mut command = a.command(&["status"]);
    if File::open(a.directory.join("key")).is_ok() {
        // Root may read anything; nobody may not. Nobody needs a program within reach.
        let program = machine.path("peermq");
        fs::copy(env!("CARGO_BIN_EXE_peermq"), &program).unwrap();
        fs::set_permissions(machine.path(""), Permissions::from_mode(0o755)).unwrap();
        command = Command::new(program);
        command.arg("-d").arg(&a.directory).arg("status").uid(65_534).gid(65_534);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let line = Running::start(command).finish().failed(1, &["status"]);
    assert!(line.contains("permission denied"), "{line}");
}

#[test]
fn a_directory_of_another_format_is_left_alone() {
    let machine = Machine::new();
    let a = machine.node("a");
    a.succeeds(&["status"]);
    let format = a.directory.join("format");
    let written = fs::read_to_string(&format).unwrap();
    for other in ["format 99", "format 1"] {
        let changed = written.replace("format 2\n", &format!("{other}\n"));
        fs::write(&format, &changed).unwrap();
        let line = a.fails(1, &["status"]);
        assert!(line.contains(&format!("{other} ")), "{line}");
        assert_eq!(fs::read_to_string(&format).unwrap(), changed);
    }
}

#[test]
fn a_directory_keeps_its_store() {
    let machine = Machine::new();
    let a = machine.node("a");
    // Also when all that was asked for is the id, which opens no store.
    a.succeeds(&["--store", "redb", "id"]);
    assert!(a.succeeds(&["status", "--json"]).contains("\"store\":\"redb\""));
    let refused = |words: [&str; 3]| {
        let line = a.fails(1, &words);
        assert!(line.contains("redb") && line.contains("fjall"), "{line}");
    };
    refused(["--store", "fjall", "status"]);
    refused(["--store", "fjall", "id"]);
    let _running = a.listen();
    refused(["--store", "fjall", "status"]);
    a.fails(2, &["--store", "paper", "status"]);
}

#[test]
fn a_holder_without_a_socket_is_named_after_10_seconds() {
    let machine = Machine::new();
    let a = machine.node("a");
    a.id();
    let path = a.directory.join("lock");
    let holder = File::options().create(true).truncate(false).write(true).open(&path).unwrap();
    holder.try_lock().unwrap();
    fs::write(&path, "4242      \n").unwrap();
    let line = a.fails(1, &["status"]);
    assert!(line.contains("process 4242") && line.contains("10 s"), "{line}");
}

#[test]
fn a_holder_that_does_not_answer_is_named_after_10_seconds() {
    let machine = Machine::new();
    let a = machine.node("a");
    let listener = a.listen();
    listener.signal("STOP");
    let line = a.fails(1, &["status"]);
    assert!(line.contains(&format!("process {}", listener.child.id())), "{line}");
    listener.signal("CONT");
    a.succeeds(&["status"]);
}

#[test]
fn garbage_at_the_port_gets_no_byte_and_harms_nobody() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let listener = a.start(&["listen", "--addr", "127.0.0.1:0"]);
    let address = listener.error_line().strip_prefix("listening on ").unwrap().to_owned();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 128], &[0xff; 4_096], b""] {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may hang up in the middle of the garbage.
        let _ = stream.write_all(garbage);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, b"");
    }
    b.send(&a_id, "still here");
    let _connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &["still here"]);
}

#[test]
fn a_garbage_peer_at_an_address_does_not_keep_the_right_one_away() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let garbage = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = garbage.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in garbage.incoming() {
            let _ = stream.unwrap().write_all(&[0xaa; 1_000]);
        }
    });
    b.send(&a_id, "hello");
    let connection = b.start(&["connect", &a_id, "--addr", &address]);
    let listener = a.listen();
    listener.expect(&b_id, 0, &["hello"]);
    archived(&connection, 0);
}

/// Runs a script as root of a namespace of its own, where it may mount.
fn in_namespace(machine: &Machine, script: &str) -> Running {
    let folder = machine.path("mounted");
    fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--map-root-user", "sh", "-ec", script])
        .env("PEERMQ", env!("CARGO_BIN_EXE_peermq"))
        .env("FOLDER", folder)
        .env("OUTSIDE", machine.path("outside"))
        .env("TO", ID)
        .env("XDG_RUNTIME_DIR", machine.path("run"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Running::start(command)
}

#[test]
fn a_read_only_disk_is_named() {
    let machine = Machine::new();
    let script = r#"
        mount -t tmpfs tmpfs "$FOLDER"
        "$PEERMQ" -d "$FOLDER/a" send --to "$TO" --message kept
        mount -o remount,ro "$FOLDER"
        status=0; "$PEERMQ" -d "$FOLDER/a" send --to "$TO" --message lost || status=$?
        echo "status $status"
        status=0; "$PEERMQ" -d "$FOLDER/b" id || status=$?
        echo "status $status"
        mount -o remount,rw "$FOLDER"
        "$PEERMQ" -d "$FOLDER/a" messages --set sent | wc -l
    "#;
    let ended = in_namespace(&machine, script).finish();
    let stdout = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(stdout, "status 1\nstatus 1\n1\n", "{}", ended.stderr);
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert!(lines.len() == 2, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.starts_with("peermq: ") && line.contains("read-only")),
        "{lines:?}"
    );
}

#[test]
fn a_full_disk_is_named_and_nothing_confirmed_is_lost() {
    let machine = Machine::new();
    let script = r#"
        mount -t tmpfs -o size=96m tmpfs "$FOLDER"
        "$PEERMQ" -d "$FOLDER/a" send --to "$TO" --message kept
        dd if=/dev/zero of="$FOLDER/filler" bs=64k 2>/dev/null || true
        status=0
        head -c 20000000 /dev/urandom | "$PEERMQ" -d "$FOLDER/a" send --to "$TO" || status=$?
        echo "status $status"
        rm "$FOLDER/filler"
        "$PEERMQ" -d "$FOLDER/a" send --to "$TO" --message later
        "$PEERMQ" -d "$FOLDER/a" messages --set sent | cut -d@ -f2 | cut -d' ' -f1
    "#;
    let ended = in_namespace(&machine, script).finish();
    let stdout = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(stdout, "status 1\n0\n1\n", "{}", ended.stderr);
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with("peermq: "), "{lines:?}");
    assert!(lines[0].to_lowercase().contains("space"), "{lines:?}");
}

#[test]
fn the_environment_names_the_directory_when_no_flag_does() {
    let machine = Machine::new();
    let a = machine.node("a");
    let id = a.id();
    let mut command = Command::new(env!("CARGO_BIN_EXE_peermq"));
    command.arg("id").env("PEERMQ_DATADIR", &a.directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let words = ["id"];
    assert_eq!(Running::start(command).finish().succeeded(&words).trim_end(), id);
}

#[test]
fn before_the_disk_is_full_nothing_new_is_taken_in_and_with_room_it_goes_on() {
    let machine = Machine::new();
    let script = r#"
        mount -t tmpfs -o size=160m tmpfs "$FOLDER"
        A="$PEERMQ -d $FOLDER/a" B="$PEERMQ -d $OUTSIDE/b"
        a=$($A id) b=$($B id)
        $A add-peer "$b"
        $B send --to "$a" --message first
        $A listen --no-archive > "$FOLDER/out" 2> "$FOLDER/err" & listener=$!
        $B connect "$a" 2> "$FOLDER/acks" & connected=$!
        until grep -q first "$FOLDER/out"; do sleep 0.05; done
        free=$(($(stat -f -c '%a * %S' "$FOLDER") / 1048576))
        dd if=/dev/zero of="$FOLDER/filler" bs=1M count=$((free - 24)) 2> /dev/null
        status=0; $A send --to "$b" --message refused || status=$?
        echo "status $status"
        until grep -q 'nothing new is taken in' "$FOLDER/err"; do sleep 0.05; done
        $A --json status | grep -o '"disk_full":"expected a disk with 32 MiB'
        kill $connected; wait $connected
        $B connect "$a" 2> "$FOLDER/acks" & connected=$!
        $B send --to "$a" --message second
        $A archive "$b@0"
        until grep -q '@0 archived' "$FOLDER/acks"; do sleep 0.05; done
        grep -c . "$FOLDER/out"
        rm "$FOLDER/filler"
        until grep -q second "$FOLDER/out"; do sleep 0.05; done
        $A send --to "$b" --message taken
        kill $listener $connected; wait $listener $connected
        $A messages --set sent | cut -d@ -f2 | cut -d' ' -f1
    "#;
    fs::create_dir_all(machine.path("outside")).unwrap();
    let ended = in_namespace(&machine, script).finish();
    let stdout = String::from_utf8(ended.stdout).unwrap();
    let told = "\"disk_full\":\"expected a disk with 32 MiB";
    assert_eq!(stdout, format!("status 1\n{told}\n1\n0\n"), "{}", ended.stderr);
    assert!(ended.stderr.lines().all(|line| line.contains("of free space")), "{}", ended.stderr);
}
