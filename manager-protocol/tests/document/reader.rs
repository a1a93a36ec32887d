//! Reads the document: its tables, and the types that they name.

use std::collections::BTreeMap;

pub(crate) const DOCUMENT: &str = include_str!("../../../docs/PROTOCOL.md");

/// A row of a table of operations.
pub(crate) struct Documented {
    pub(crate) number: u16,
    pub(crate) name: String,
    pub(crate) effect: String,
    pub(crate) waits: bool,
    pub(crate) arguments: String,
    pub(crate) result: String,
    pub(crate) refusals: String,
}

pub(crate) fn operations(heading: &str) -> Vec<Documented> {
    let rows = tables(heading).pop().unwrap().into_iter().map(|row| {
        let [number, name, effect, does, arguments, result, refusals] = &*row else { panic!("seven cells: {row:?}") };
        Documented {
            number: hexadecimal(number),
            name: code_span(name).to_owned(),
            effect: effect.clone(),
            waits: does.starts_with("**Waits** "),
            arguments: if arguments == "none" { String::new() } else { code_span(arguments).to_owned() },
            result: code_span(result).to_owned(),
            refusals: refusals.clone(),
        }
    });
    rows.collect()
}

/// The named shapes, by which types are spelled.
pub(crate) struct Shapes {
    spelled: BTreeMap<String, String>,
    /// Those that are a number of a list: what each number means.
    pub(crate) numbers: BTreeMap<String, Vec<(u8, String)>>,
}

pub(crate) fn shapes() -> Shapes {
    let (mut spelled, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    for row in table("Shapes") {
        let name = code_span(&row[0]).to_owned();
        if row[1].starts_with('`') {
            spelled.insert(name, code_span(&row[1]).to_owned());
        } else {
            numbers.insert(name, row[1].split(", ").map(numbered).collect());
        }
    }
    Shapes { spelled, numbers }
}

/// The number, and what it means, of `1 dict`.
fn numbered(item: &str) -> (u8, String) {
    let (number, meaning) = item.split_once(' ').expect("a number and what it means");
    (number.parse().unwrap(), meaning.to_owned())
}

impl Shapes {
    /// Encodings of a type that differ where it leaves a choice.
    pub(crate) fn samples(&self, typ: &str) -> Vec<Vec<u8>> {
        if let Some((one, other)) = alternatives(typ) {
            return [self.samples(one), self.samples(other)].concat();
        }
        if let Some(item) = typ.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let items = self.samples(item);
            let all = [&[0x90 | u8::try_from(items.len()).unwrap()][..], &items.concat()].concat();
            return vec![vec![0x90], all];
        }
        if let Some(items) = typ.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            let items: Vec<_> = fields(items).iter().map(|(_, typ)| self.samples(typ)).collect();
            let most = items.iter().map(Vec::len).max().unwrap();
            let nth = |nth: usize| items.iter().flat_map(|samples| samples[nth % samples.len()].clone()).collect();
            let head = [0x90 | u8::try_from(items.len()).unwrap()];
            return (0..most).map(nth).map(|items: Vec<u8>| [&head[..], &items].concat()).collect();
        }
        if let Some(spelled) = self.spelled.get(typ) {
            return self.samples(spelled);
        }
        if let Some(numbers) = self.numbers.get(typ) {
            return numbers.iter().map(|(number, _)| vec![*number]).collect();
        }
        let samples: &[&[u8]] = match typ {
            "nil" => &[&[0xc0]],
            "uint" => &[&[0x00], &[0xcf, 255, 255, 255, 255, 255, 255, 255, 255]],
            "uint32" => &[&[0x00], &[0xce, 255, 255, 255, 255]],
            "uint16" => &[&[0x00], &[0xcd, 255, 255]],
            "int" => &[&[0xff], &[0xd3, 128, 0, 0, 0, 0, 0, 0, 0], &[0x00]],
            "int32" => &[&[0xff], &[0xd2, 128, 0, 0, 0], &[0x00]],
            "bool" => &[&[0xc2], &[0xc3]],
            "str" => &[&[0xa0], &[0xa1, b'x']],
            "bin" => &[&[0xc4, 0x00], &[0xc4, 0x02, 0xff, 0xc1]],
            "value" => &[&[0xc4, 0x01, 0xc0], &[0xc4, 0x02, 0x91, 0x01], REFERENCE],
            _ => panic!("no type {typ:?}"),
        };
        samples.iter().map(|sample| sample.to_vec()).collect()
    }
}

/// A value that is a reference: to a list, the object 9 of the epoch 1.
pub(crate) const REFERENCE: &[u8] =
    &[0xc4, 0x14, 0xc7, 0x11, 0x6d, 0x02, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9];

/// Names and types of `a: A, b: B`; commas inside of brackets do not part.
pub(crate) fn fields(list: &str) -> Vec<(&str, &str)> {
    let mut depth = 0;
    let parts = list.split(|c: char| {
        depth += nesting(c);
        c == ',' && depth == 0
    });
    parts.filter(|part| !part.is_empty()).map(|part| part.trim().split_once(": ").expect("a name and a type")).collect()
}

/// The types of `A or B`; what is inside of brackets does not count.
fn alternatives(typ: &str) -> Option<(&str, &str)> {
    let is_outside = |place: &usize| typ[..*place].chars().map(nesting).sum::<i32>() == 0;
    let place = typ.match_indices(" or ").map(|(place, _)| place).find(is_outside)?;
    Some((&typ[..place], &typ[place + " or ".len()..]))
}

/// By how much a bracket leads further in.
fn nesting(c: char) -> i32 {
    i32::from(matches!(c, '(' | '[')) - i32::from(matches!(c, ')' | ']'))
}

/// The rows of the first table under a heading, without its head.
pub(crate) fn table(heading: &str) -> Vec<Vec<String>> {
    tables(heading).swap_remove(0)
}

/// The rows of all tables under a heading, without their heads.
pub(crate) fn tables(heading: &str) -> Vec<Vec<Vec<String>>> {
    let is_heading =
        |line: &&str| line.trim_start_matches('#').strip_prefix(' ') == Some(heading) && line.starts_with('#');
    let rest = DOCUMENT.lines().skip_while(|line| !is_heading(line)).skip(1);
    let under: Vec<&str> = rest.take_while(|line| !line.starts_with('#')).collect();
    let is_row = |line: &&str| line.starts_with('|');
    let cells = |row: &&str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    let all: Vec<Vec<Vec<String>>> = under
        .chunk_by(|one, next| is_row(one) == is_row(next))
        .filter(|lines| is_row(&lines[0]))
        .map(|rows| rows[2..].iter().map(cells).collect())
        .collect();
    assert!(all.first().is_some_and(|rows| !rows.is_empty()), "a table under {heading:?}");
    all
}

pub(crate) fn hexadecimal(cell: &str) -> u16 {
    u16::from_str_radix(cell.strip_prefix("0x").unwrap(), 16).unwrap()
}

pub(crate) fn code_span(cell: &str) -> &str {
    cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or_else(|| panic!("`code`: {cell:?}"))
}
