//! A message's text as a terminal may be given it: nothing in it can move the cursor, change the
//! title or turn the line around.

use std::fmt::Write;

/// Appends `text` with control characters, invalid UTF-8 and marks that reorder or hide text
/// written as escapes.
pub(crate) fn push_escaped(line: &mut String, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_character(line, character);
        }
        for byte in chunk.invalid() {
            write!(line, "\\x{byte:02x}").expect("a String takes all that is written");
        }
    }
}

/// Appends `text` like [`push_escaped`], but with its own line feeds and tabs.
pub(crate) fn push_text(shown: &mut String, text: &[u8]) {
    for part in text.split_inclusive(|byte| matches!(byte, b'\n' | b'\t')) {
        match part.split_last() {
            Some((end @ (b'\n' | b'\t'), line)) => {
                push_escaped(shown, line);
                shown.push(char::from(*end));
            }
            _ => push_escaped(shown, part),
        }
    }
}

/// How many bytes at the end of a piece of text are the start of a character that goes on in the
/// next piece.
pub(crate) fn unfinished(piece: &[u8]) -> usize {
    let starts_character = |size: &usize| {
        let end = piece.len().checked_sub(*size).and_then(|start| piece.get(start..));
        end.is_some_and(|end| {
            str::from_utf8(end)
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
    };
    (1..=3).find(starts_character).unwrap_or(0)
}

fn push_character(line: &mut String, character: char) {
    match character {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        _ if character.is_control() => {
            let code = u32::from(character);
            write!(line, "\\x{code:02x}").expect("a String takes all that is written");
        }
        _ if is_deceiving(character) => {
            let code = u32::from(character);
            write!(line, "\\u{{{code:x}}}").expect("a String takes all that is written");
        }
        _ => line.push(character),
    }
}

/// Line and paragraph separators, and the bidirectional controls of UAX #9 §2, with which text can
/// be shown in another order than it has (CVE-2021-42574).
const fn is_deceiving(character: char) -> bool {
    matches!(
        character,
        '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &[u8]) -> String {
        let mut line = String::new();
        push_escaped(&mut line, text);
        line
    }

    #[test]
    fn plain_text_of_any_script_stays() {
        assert_eq!(escaped("wow → 漢字 🦀 عربي \\o/".as_bytes()), "wow → 漢字 🦀 عربي \\o/");
    }

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        assert_eq!(escaped(b"a\x1b[2J\x07\x7f"), "a\\x1b[2J\\x07\\x7f");
        assert_eq!(escaped(b"a\nMESSAGE b\r\t"), "a\\nMESSAGE b\\r\\t");
        assert_eq!(escaped("\u{9b}31m".as_bytes()), "\\x9b31m");
        assert_eq!(escaped("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(escaped(b"\xff\xc3"), "\\xff\\xc3");
    }

    #[test]
    fn a_text_in_pieces_keeps_its_lines_and_its_characters() {
        let mut shown = String::new();
        push_text(&mut shown, b"a\x1b\n\tb\r\n");
        assert_eq!(shown, "a\\x1b\n\tb\\r\n");
        let crab = "a🦀".as_bytes();
        assert_eq!(unfinished(crab), 0);
        assert_eq!(unfinished(&crab[..4]), 3);
        assert_eq!(unfinished(&crab[..2]), 1);
        assert_eq!(unfinished(b"\xff"), 0);
        assert_eq!(unfinished(b""), 0);
    }
}
