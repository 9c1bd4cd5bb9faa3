//! Sizes, quotas and durations as people write them.

use std::time::Duration;

/// A quota: bytes, and messages when they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuotaArg {
    pub(crate) bytes: u64,
    pub(crate) messages: Option<u64>,
}

/// Reads `SIZE` or `SIZE,MESSAGES`.
pub(crate) fn quota(text: &str) -> Result<QuotaArg, String> {
    let (bytes, messages) = match text.split_once(',') {
        Some((bytes, messages)) => (bytes, Some(messages)),
        None => (text, None),
    };
    let messages = messages.map(|number| {
        number.parse().map_err(|_| format!("expected a number of messages, got {number:?}"))
    });
    Ok(QuotaArg { bytes: size(bytes)?, messages: messages.transpose()? })
}

/// Reads a duration: a number with `ms`, `s`, `m` or `h`; seconds when it stands alone.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a time like 500ms, 30s, 5m or 1h, got {text:?}");
    let (number, unit) = split(text);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let unit_ms = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(expected()),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(expected)
}

/// A size for people: at most four digits and a unit.
pub(crate) fn show_size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut rest = bytes;
    let mut tenths = 0;
    let mut names = units.into_iter();
    let mut unit = names.next().unwrap_or_default();
    while rest >= 1_024 {
        let Some(larger) = names.next() else { break };
        tenths = rest % 1_024 * 10 / 1_024;
        rest /= 1_024;
        unit = larger;
    }
    if tenths == 0 { format!("{rest} {unit}") } else { format!("{rest}.{tenths} {unit}") }
}

/// Reads a size: a number with `KiB`, `MiB`, `GiB` or their first letter; bytes when it stands
/// alone.
fn size(text: &str) -> Result<u64, String> {
    let expected = || format!("expected a size like 4096, 64MiB or 1GiB, got {text:?}");
    let (number, unit) = split(text);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let shift = match unit {
        "" | "B" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        _ => return Err(expected()),
    };
    number.checked_mul(1 << shift).ok_or_else(expected)
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(quota("64MiB,9"), Ok(QuotaArg { bytes: 64 << 20, messages: Some(9) }));
        assert_eq!(quota("4096"), Ok(QuotaArg { bytes: 4_096, messages: None }));
    }

    #[test]
    fn what_is_no_quantity_is_named() {
        let error = duration("soon").unwrap_err();
        assert_eq!(error, "expected a time like 500ms, 30s, 5m or 1h, got \"soon\"");
        for text in ["", "-1", "1d", "18446744073709551615h"] {
            duration(text).unwrap_err();
        }
        for text in ["", "1TB", "1GiB,", "99999999999999999999", "18446744073709551615G"] {
            quota(text).unwrap_err();
        }
    }

    #[test]
    fn sizes_are_shown_shortly() {
        assert_eq!(show_size(0), "0 B");
        assert_eq!(show_size(1_023), "1023 B");
        assert_eq!(show_size(1_536), "1.5 KiB");
        assert_eq!(show_size(20 << 20), "20 MiB");
    }
}
