use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const SLOTS: u64 = 4;
const FIRST: usize = 8;
const WORDS: usize = FIRST + SLOTS as usize * SLOT_WORDS;

fn memory() -> Arc<Memory> {
    Arc::new(Memory::create(WORDS * WORD).expect("the system has memory").0)
}

fn ends(memory: &Arc<Memory>) -> (Writer, Reader) {
    let place = Place { taken: 0, first: FIRST, slots: SLOTS };
    (Writer::new(Arc::clone(memory), place), Reader::new(Arc::clone(memory), place))
}

#[test]
fn a_full_ring_takes_no_more_until_it_is_read() {
    let (mut writer, mut reader) = ends(&memory());
    let whole = SLOTS as usize * SLOT_BYTES;
    assert_eq!(writer.write(&vec![7; whole + 1]), Ok(whole));
    assert_eq!(writer.write(&[7]), Ok(0));
    assert_eq!(writer.is_taken(), Ok(false));
    let mut read = vec![0; whole];
    assert_eq!(reader.read(&mut read[..1]), Ok(1));
    assert_eq!(writer.write(&[8, 8]), Ok(2), "a slot that was copied is free");
    assert_eq!(reader.read(&mut read), Ok(whole - 1 + 1));
    assert_eq!((read[whole - 2], read[whole - 1]), (7, 8));
    assert!(reader.has_more(), "one byte did not fit");
    assert_eq!(reader.read(&mut read), Ok(1));
    assert!(!reader.has_more());
    assert_eq!(writer.is_taken(), Ok(true));
}

#[test]
fn what_is_not_taken_is_counted_in_bytes() {
    let memory = memory();
    let (mut writer, mut reader) = ends(&memory);
    assert_eq!(writer.untaken(), Ok(0));
    writer.write(&[7; SLOT_BYTES + 1]).unwrap();
    writer.write(&[8; 3]).unwrap();
    assert_eq!(writer.untaken(), Ok(SLOT_BYTES + 4));
    assert_eq!(reader.read(&mut [0; 1]), Ok(1));
    assert_eq!(writer.untaken(), Ok(4), "slots are taken whole");
    writer.write(&[9; 2 * SLOT_BYTES]).unwrap();
    assert_eq!(writer.untaken(), Ok(4 + 2 * SLOT_BYTES));
    memory.words()[FIRST + SLOT_WORDS].store(stamp_of(1, 2 * SLOT_BYTES), Ordering::Relaxed);
    assert_eq!(writer.untaken(), Err(Corrupt));
    assert_eq!(writer.write(&[7]), Err(Corrupt));
}

#[test]
fn a_stamp_that_is_not_the_next_nor_the_last_is_corrupt_for_ever() {
    for stamp in [1, 56, stamp_of(0, 0), stamp_of(0, 57), stamp_of(1, 1), u64::MAX, stamp_of(SLOTS, 1)] {
        let memory = memory();
        let (_writer, mut reader) = ends(&memory);
        memory.words()[FIRST].store(stamp, Ordering::Relaxed);
        assert_eq!(reader.read(&mut [0; 8]), Err(Corrupt), "{stamp:#x}");
        assert!(reader.has_more(), "there is an error to be told");
        memory.words()[FIRST].store(stamp_of(0, 1), Ordering::Relaxed);
        assert_eq!(reader.read(&mut [0; 8]), Err(Corrupt));
    }
}

#[test]
fn a_claim_to_have_taken_too_much_or_less_than_before_is_corrupt() {
    let memory = memory();
    let (mut writer, _reader) = ends(&memory);
    writer.write(&[7; 2 * SLOT_BYTES]).unwrap();
    memory.words()[0].store(2, Ordering::Relaxed);
    assert_eq!(writer.is_taken(), Ok(true));
    for claim in [3, 1, u64::MAX] {
        let mut writer =
            Writer { ring: Ring { memory: Arc::clone(&memory), is_corrupt: false, ..writer.ring }, ..writer };
        memory.words()[0].store(claim, Ordering::Relaxed);
        assert_eq!(writer.is_taken(), Err(Corrupt));
        assert_eq!(writer.write(&[1]), Err(Corrupt));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Read(usize),
    Scribble(usize, u64),
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![0..10_usize, 50..60_usize, 100..400_usize]
}

proptest! {
    #[test]
    fn bytes_come_out_as_they_went_in(steps in prop::collection::vec(
        prop_oneof![sizes().prop_map(Step::Write), sizes().prop_map(Step::Read)], 1..200,
    )) {
        let (mut writer, mut reader) = ends(&memory());
        let (mut model, mut next, mut slots) = (VecDeque::new(), 0_u8, VecDeque::new());
        for step in steps {
            match step {
                Step::Write(size) => {
                    let bytes: Vec<u8> = (0..size).map(|index| next.wrapping_add(index as u8)).collect();
                    let written = writer.write(&bytes).unwrap();
                    prop_assert!(written == size || slots.len() == SLOTS as usize || written > 0);
                    next = next.wrapping_add(written as u8);
                    model.extend(&bytes[..written]);
                    slots.resize(slots.len() + written.div_ceil(SLOT_BYTES), ());
                    prop_assert!(slots.len() <= SLOTS as usize);
                }
                Step::Read(size) => {
                    let mut out = vec![0; size];
                    let (read, room) = if size % 3 == 0 {
                        out = Vec::with_capacity(size);
                        (reader.append(&mut out).unwrap(), out.capacity())
                    } else {
                        (reader.read(&mut out).unwrap(), size)
                    };
                    prop_assert_eq!(read, room.min(model.len()));
                    prop_assert_eq!(&out[..read], &model.drain(..read).collect::<Vec<u8>>()[..]);
                    let left = (writer.written - reader.next) as usize;
                    slots.truncate(left);
                }
                Step::Scribble(..) => unreachable!("not in these steps"),
            }
        }
    }

    #[test]
    fn whatever_is_written_over_the_memory_nothing_worse_than_an_error_comes_of_it(steps in prop::collection::vec(
        prop_oneof![
            sizes().prop_map(Step::Write),
            sizes().prop_map(Step::Read),
            (0..WORDS, prop_oneof![any::<u64>(), 0..0x800_u64]).prop_map(|(place, word)| Step::Scribble(place, word)),
        ], 1..100,
    )) {
        let memory = memory();
        let (mut writer, mut reader) = ends(&memory);
        let (mut was_refused, mut was_corrupt) = (false, false);
        for step in steps {
            match step {
                Step::Write(size) => {
                    let written = writer.write(&vec![1; size]);
                    prop_assert!(written.is_err() || !was_refused, "an end that is corrupt stays so");
                    prop_assert!(written.is_ok_and(|written| written <= size) || written.is_err());
                    was_refused = written.is_err();
                }
                Step::Read(size) => {
                    let read = reader.read(&mut vec![0; size]);
                    prop_assert!(size == 0 || read.is_err() || !was_corrupt, "an end that is corrupt stays so");
                    prop_assert!(read.is_ok_and(|read| read <= size) || read.is_err());
                    was_corrupt |= read.is_err();
                }
                Step::Scribble(place, word) => memory.words()[place].store(word, Ordering::Relaxed),
            }
        }
    }
}
