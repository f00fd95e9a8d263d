// SPDX-License-Identifier: Apache-2.0

//! What the writer does beside what the cases of `tests/vectors` ask: errors that stay, outputs that fail, streams.

#[path = "../../../output/rust/windows_files.rs"]
mod windows_files;

use windows_files::{
    Attributes, Code, Entry, Error, FinishError, Kind, Output, Times, Writer, END,
};

/// Takes so many calls, and then no more.
struct Full {
    left: usize,
    taken: Vec<u8>,
}

impl Output for Full {
    fn put(&mut self, data: &[u8]) -> Result<(), Error> {
        self.left = self.left.checked_sub(1).ok_or_else(Error::output)?;
        self.taken.extend_from_slice(data);
        Ok(())
    }
}

// With std, a type may be both.
#[cfg(feature = "std")]
impl std::io::Write for Full {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.taken.write(data)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn file(size: u64) -> Entry<'static> {
    Entry {
        size,
        ..Entry::new(Kind::File, "a")
    }
}

/// Returns the code of an end that fails.
fn finished<W: Output>(layer: Writer<W>) -> Code {
    layer.finish().err().unwrap().error.code()
}

#[test]
fn the_first_error_is_returned_by_every_later_call_and_nothing_more_is_written() {
    let mut out = Full {
        left: 100,
        taken: Vec::new(),
    };
    let mut layer = Writer::new(&mut out);
    layer.add("a", b"1").unwrap();
    assert_eq!(layer.add("A", b"2").unwrap_err().code(), Code::Case);
    assert_eq!(layer.add("b", b"3").unwrap_err().code(), Code::Case);
    assert_eq!(layer.write_all(b"4").unwrap_err().code(), Code::Case);
    assert_eq!(finished(layer), Code::Case);
    assert!(!out.taken.ends_with(&END));
    assert_eq!(out.taken.len() % 512, 0);
}

#[test]
fn an_output_that_is_full_is_an_error_wherever_it_ends() {
    for left in 0..=4 {
        let out = Full {
            left,
            taken: Vec::new(),
        };
        let mut layer = Writer::new(out);
        let added = layer.add("a", b"1");
        assert_eq!(added.is_ok(), left == 4, "{left}");
        let FinishError { error, output } = layer.finish().err().unwrap();
        assert_eq!(error.code(), Code::Output);
        assert_eq!(output.left, 0);
        assert_eq!(output.taken.len() % 512, if left == 3 { 1 } else { 0 });
    }
}

#[test]
fn data_must_be_as_long_as_the_size_says() {
    let mut layer = Writer::new(Vec::new());
    layer.add_entry(&file(2)).unwrap();
    assert_eq!(layer.write_all(b"123").unwrap_err().code(), Code::Data);

    let mut layer = Writer::new(Vec::new());
    layer.add_entry(&file(2)).unwrap();
    layer.write_all(b"1").unwrap();
    assert_eq!(layer.add_directory("b").unwrap_err().code(), Code::Data);

    let mut layer = Writer::new(Vec::new());
    layer.add_entry(&file(2)).unwrap();
    assert_eq!(finished(layer), Code::Data);
}

#[test]
fn data_in_pieces_is_the_same_layer() {
    let mut whole = Writer::new(Vec::new());
    whole.add("a", b"123").unwrap();
    let mut pieces = Writer::new(Vec::new());
    pieces.add_entry(&file(3)).unwrap();
    for piece in [&b"1"[..], b"", b"23", b""] {
        pieces.write_all(piece).unwrap();
    }
    assert_eq!(whole.finish().unwrap(), pieces.finish().unwrap());
}

#[test]
fn an_error_names_path_and_reason() {
    let mut layer = Writer::new(Vec::new());
    let error = layer.add_directory("aux").unwrap_err();
    let wanted = r#""aux": a part of the path is a device name"#;
    assert_eq!(error.to_string(), wanted);
}

#[test]
fn attributes_are_windows_bits() {
    let mut both = Attributes::READ_ONLY | Attributes::HIDDEN;
    both |= Attributes::SYSTEM;
    assert_eq!(both, Attributes::from_bits(7));
    assert_eq!(both.bits(), 7);
    assert_eq!(Attributes::default().bits(), 0);
    let mut layer = Writer::new(Vec::new());
    let entry = Entry {
        attributes: Attributes::NORMAL | Attributes::HIDDEN,
        ..file(0)
    };
    assert_eq!(
        layer.add_entry(&entry).unwrap_err().code(),
        Code::Attributes
    );
}

#[test]
fn one_time_is_all_four() {
    let Times {
        modified,
        accessed,
        changed,
        created,
    } = Times::at(-7);
    assert_eq!([modified, accessed, changed, created], [-7; 4]);
}

#[test]
fn an_output_may_be_chosen_when_the_program_runs() {
    let mut direct = Vec::new();
    for boxed in [true, false] {
        let mut out = Vec::new();
        let chosen: Box<dyn Output + '_> = if boxed {
            Box::new(&mut out)
        } else {
            Box::new(&mut direct)
        };
        let mut layer = Writer::new(chosen);
        layer.add("a", b"1").unwrap();
        drop(layer.finish().unwrap());
        assert_eq!(out.ends_with(&END), boxed);
    }
    assert!(direct.ends_with(&END));
}

#[cfg(any(feature = "std", feature = "core-error"))]
#[test]
fn errors_are_the_languages_own() {
    #[cfg(not(feature = "std"))]
    use core::error::Error as Standard;
    #[cfg(feature = "std")]
    use std::error::Error as Standard;

    fn shown(error: impl Standard) -> String {
        error.to_string()
    }
    let mut layer = Writer::new(Vec::new());
    let error = layer.add("a:", b"").unwrap_err();
    let finish = layer.finish().err().unwrap();
    assert_eq!(shown(error), shown(finish));
}

#[cfg(feature = "std")]
mod with_std {
    use super::windows_files::{Code, Error, IoOutput, Times, Tree, Writer};
    use super::{file, Entry};
    use std::error::Error as _;
    use std::io::{self, Read};
    use std::path::Path;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::Other, "the disk is on fire"))
        }
    }

    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::Other, "the disk is on fire"))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_gives_the_data() {
        let mut whole = Writer::new(Vec::new());
        whole.add("a", &[b'x'; 100_000]).unwrap();
        let mut read = Writer::new(Vec::new());
        let data = io::repeat(b'x').take(100_000);
        read.add_reader(&file(100_000), data).unwrap();
        assert_eq!(whole.finish().unwrap(), read.finish().unwrap());
        for size in [1, 3] {
            let mut layer = Writer::new(Vec::new());
            let done = layer.add_reader(&file(size), &b"12"[..]);
            assert_eq!(done.unwrap_err().code(), Code::Data);
        }
    }

    #[test]
    fn times_of_the_system_are_nanoseconds_from_1970() {
        let at = |time: SystemTime| Times::try_from(time).map(|times| times.created);
        assert_eq!(at(UNIX_EPOCH + Duration::from_nanos(1_500)).unwrap(), 1_500);
        assert_eq!(
            at(UNIX_EPOCH - Duration::from_secs(2)).unwrap(),
            -2_000_000_000
        );
        let late = UNIX_EPOCH + Duration::from_secs(1 << 35);
        assert_eq!(at(late).unwrap_err().code(), Code::Time);
    }

    #[test]
    fn what_the_system_says_is_shown_once() {
        let mut layer = Writer::new(Vec::new());
        let read = layer.add_reader(&file(1), Broken).unwrap_err();
        let written = Writer::new(IoOutput(Broken)).add("a", b"").unwrap_err();
        for (error, shown) in [(&read, r#""a": "#), (&written, "")] {
            let cause = match error {
                Error::Io { cause, .. } => cause,
                other => panic!("{other:?} is not of the system"),
            };
            assert_eq!(cause.to_string(), "the disk is on fire");
            assert_eq!(error.to_string(), format!("{shown}{cause}"));
            assert!(error.source().is_none());
        }
        let later = layer.add_entry(&Entry { ..file(0) }).unwrap_err();
        assert_eq!(later.to_string(), read.to_string());
    }

    #[test]
    fn a_file_is_not_a_tree() {
        let program = std::env::current_exe().unwrap();
        let mut out = Vec::new();
        let mut layer = Writer::new(&mut out);
        let error = layer.add_tree("a", &program, &Tree::default());
        assert_eq!(error.unwrap_err().code(), Code::Output);
        assert!(out.is_empty());
    }

    #[test]
    fn a_tree_comes_after_the_first_error() {
        let missing = Path::new("/missing/folder");
        let mut layer = Writer::new(Vec::new());
        layer.add("aux", b"").unwrap_err();
        let after = layer.add_tree("a", missing, &Tree::default());
        assert_eq!(after.unwrap_err().code(), Code::Device);
        assert_eq!(layer.add("b", b"").unwrap_err().code(), Code::Device);

        let mut layer = Writer::new(Vec::new());
        layer.add_entry(&file(2)).unwrap();
        let after = layer.add_tree("b", missing, &Tree::default());
        assert_eq!(after.unwrap_err().code(), Code::Data);
    }
}
