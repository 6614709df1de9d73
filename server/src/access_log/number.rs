//! Numbers as Python's `%` writes them.

use std::io::Write;
use std::time::Duration;

use kilonova_config::access_log::{Conversion, Kind};

/// Appends seconds with so many decimals.
pub(super) fn fixed(out: &mut Vec<u8>, time: Duration, precision: usize) {
    // Up to nine decimals nothing is lost in whole numbers, and they are written in a fraction of the time.
    let Some(power) = 9_u32.checked_sub(u32::try_from(precision).unwrap_or(u32::MAX)) else {
        let _ = write!(out, "{:.precision$}", time.as_secs_f64());
        return;
    };
    let Ok(nanoseconds) = u64::try_from(time.as_nanos()) else {
        let _ = write!(out, "{:.precision$}", time.as_secs_f64());
        return;
    };
    let unit = 10_u64.pow(power);
    let rounded = nanoseconds.saturating_add(unit / 2) / unit;
    let base = 10_u64.pow(9 - power);
    decimal(out, rounded / base);
    if precision > 0 {
        out.push(b'.');
        let fraction = out.len();
        decimal(out, base + rounded % base);
        // The one before it was there for its leading zeros.
        out.remove(fraction);
    }
}

/// Appends a number.
pub(super) fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut begin = digits.len();
    loop {
        begin -= 1;
        digits[begin] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begin..]);
}

/// Gives what was appended since `start` its sign, its precision and its width.
pub(super) fn pad(out: &mut Vec<u8>, start: usize, conversion: &Conversion) {
    let mut text = String::from_utf8_lossy(&out[start..]).into_owned();
    out.truncate(start);
    let mut sign = "";
    if conversion.kind == Kind::Text {
        if let Some(most) = conversion.precision
            && let Some((end, _)) = text.char_indices().nth(most)
        {
            text.truncate(end);
        }
    } else {
        if conversion.plus {
            sign = "+";
        } else if conversion.space {
            sign = " ";
        }
        let digits = conversion.precision.unwrap_or(0);
        if conversion.kind == Kind::Integer {
            text = format!("{text:0>digits$}");
        } else if conversion.alternate && conversion.precision == Some(0) {
            text.push('.');
        }
    }
    let width = conversion.width.saturating_sub(sign.len());
    let _ = match conversion.kind {
        _ if conversion.left => write!(out, "{sign}{text:<width$}"),
        Kind::Integer | Kind::Fixed if conversion.zeros => write!(out, "{sign}{text:0>width$}"),
        _ => write!(out, "{:>1$}", format!("{sign}{text}"), conversion.width),
    };
}
