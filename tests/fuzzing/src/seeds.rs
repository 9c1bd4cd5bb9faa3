//! Where fuzzing begins: inputs made of the golden vectors, which stand for every structure on disk
//! and on the wire, and some written by hand.

use peermq::limits::FLIGHT_1_SIZE;
use peermq::sync::FrameHeader;

/// The inputs of a target, by name.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "frame" => sync().into_iter().chain([sync().concat()]).collect(),
        "message" => sync().iter().map(|frame| frame[FrameHeader::SIZE - 1..].to_vec()).collect(),
        "advance" => {
            let advances = sync().into_iter().filter(|frame| frame[FrameHeader::SIZE - 1] == 5);
            let decoded = advances.map(|frame| [&[4, 0, 0], &frame[FrameHeader::SIZE..]].concat());
            decoded.chain([vec![3, 9, 1, 1, 2, 1, 2, 1, 1, 1, 0, 2, 5, 5]]).collect()
        }
        "head" => {
            let signed = lines(LOG, "signed head").into_iter();
            signed.map(|head| [&[9, 3, 4, 1, 0, 1][..], &head].concat()).collect()
        }
        "block" => blocks(),
        "backup" => {
            let records = lines(include_str!("../../golden/backup.txt"), "records").into_iter();
            let key = hex::decode(include_str!("../../golden/sealed-key.txt").trim());
            let file = [&b"p\0peermqb2"[..], &key.expect("it is hex")].concat();
            let records = records.flat_map(|records| {
                [[&[0, 3], &records[..]].concat(), [&file[..], &records].concat()]
            });
            records.collect()
        }
        "proof" => last_words(include_str!("../../golden/proofs.txt")),
        "flight" => {
            let flight = recorded_flight();
            let raw = [&[0], &flight[..]].concat();
            vec![raw, [&[1], &flight[..]].concat(), vec![2, 1, 0, 1, 0, 0, 0, 3, b'a', b'b', b'c']]
        }
        "ranges" => {
            vec![vec![1, 5, 0, 9, 20, 1, 3, 4, 2, 0, 25, 3, 2, 7, 4], vec![255, 2, 1, 2, 0, 1]]
        }
        "api" => requests(),
        _ => vec![(0..=255).collect(), (0..=255).rev().collect(), vec![2; 90]],
    }
}

/// The first flight of the golden handshake.
pub(crate) fn recorded_flight() -> [u8; FLIGHT_1_SIZE] {
    let flight = lines(include_str!("../../golden/crypto.txt"), "flight 1").concat();
    flight.try_into().expect("it is as long as all are")
}

/// The frames of the sync sub-stream.
fn sync() -> Vec<Vec<u8>> {
    last_words(include_str!("../../golden/sync.txt"))
}

/// The values of a file without signs between names and values.
fn last_words(golden: &str) -> Vec<Vec<u8>> {
    let words = golden.lines().filter_map(|line| Some(line.rsplit_once(' ')?.1));
    words.map(|value| hex::decode(value).expect("it is hex")).collect()
}

/// Blocks after their last index, headers after no body, envelopes.
fn blocks() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for line in LOG.lines() {
        let Some((name, hex)) = line.split_once(" = ") else { continue };
        let value = hex::decode(hex).expect("it is hex");
        let key = name.rsplit(' ').next().and_then(|key| hex::decode(key).ok()).unwrap_or_default();
        match (key.first(), name) {
            (Some(0x70), _) => {
                let last = key.last().expect("a key ends with the block's last index");
                found.push([&[0, *last], &value[..]].concat());
            }
            (_, name) if name.starts_with("header") => {
                found.push([&[1, 0], &value[..]].concat());
            }
            (_, name) if name.ends_with("envelope") => {
                found.push([&[2], &value[..]].concat());
            }
            _ => {}
        }
    }
    found
}

/// One request of each kind.
fn requests() -> Vec<Vec<u8>> {
    let requests = [
        "GET /v1/node",
        "GET /v1/status",
        "GET /v1/backup",
        "GET /v1/gc?keep=stored",
        "POST /v1/gc?keep=archived",
        "GET /v1/peers",
        "POST /v1/peers\ncontent-type: application/json\n\n{\"ids\":[\"{a}\"],\"quota\":{\"bytes\":1,\"entries\":1}}",
        "DELETE /v1/peers/{a}",
        "POST /v1/messages?to={b}\nidempotency-key: k\n\nhello",
        "POST /v1/lines?to={b}&line=7\nidempotency-key: k\n\na\r\nb\n\nc",
        "GET /v1/messages?set=sent&after={b}.1.0",
        "GET /v1/messages?set=unread",
        "GET /v1/messages/{a}/0?epoch=1",
        "GET /v1/receipts/{b}/0?epoch=1",
        "GET /v1/forks",
        "GET /v1/forks/{a}/proof?epoch=1",
        "POST /v1/forks/{a}/acknowledge",
        "GET /v1/notices",
        "GET /v1/stream?set=unread&mode=drain",
        "GET /v1/stream?set=archived&mode=live",
        "POST /v1/archive\ncontent-type: application/json\n\n{\"places\":[{\"from\":\"{a}\",\"epoch\":1,\"first\":0,\"last\":18446744073709551615}]}",
        "POST /v1/clear\ncontent-type: application/json\n\n{\"places\":[]}",
        "GET /v1/wait?to={b}&epoch=1&first=0&last=18446744073709551615&level=stored",
        "GET /v1/listen?address=127.0.0.1:0",
        "GET /v1/connect/{a}?address=localhost:1",
        "HEAD /v1/messages?set=x",
    ];
    requests.iter().map(|request| request.as_bytes().to_vec()).collect()
}

/// The values of lines whose name begins so.
fn lines(golden: &str, name: &str) -> Vec<Vec<u8>> {
    let lines = golden.lines().filter(|line| line.starts_with(name));
    let values = lines.filter_map(|line| Some(line.split_once(" = ")?.1));
    values.map(|value| hex::decode(value).expect("it is hex")).collect()
}

const LOG: &str = include_str!("../../golden/log.txt");
