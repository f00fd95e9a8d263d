// SPDX-License-Identifier: Apache-2.0

//! Makes layers on top of what it reads, and answers with their bytes: `tests/helpers/layer_vectors.py` has the words.
//!
//! With `tree FOLDER PATH own|one` it writes the layer of a folder, with its entries' own times or one.

use std::io::{self, BufRead, Write};
use std::path::Path;

#[path = "../../../output/rust/windows_files.rs"]
mod windows_files;

use windows_files::{
    append_header, Attributes, Descriptor, Entry, Error, IoOutput, Kind, Options, Output, Times,
    Tree, Writer,
};

fn from_hex(word: &str) -> Vec<u8> {
    let digits = &word[1..];
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn text(word: &str) -> String {
    String::from_utf8(from_hex(word)).expect("a text")
}

fn kind(word: &str) -> Kind {
    match word {
        "file" => Kind::File,
        "directory" => Kind::Directory,
        "file-link" => Kind::FileLink,
        "directory-link" => Kind::DirectoryLink,
        "hard-link" => Kind::HardLink,
        "whiteout" => Kind::Whiteout,
        _ => panic!("no kind {word}"),
    }
}

fn descriptor<'a>(word: &str, raw: &'a [u8]) -> Option<Descriptor<'a>> {
    Some(match word {
        "=" => return None,
        "users-read" => Descriptor::UsersRead,
        "user-owned" => Descriptor::UserOwned,
        "admin-owned" => Descriptor::AdminOwned,
        "none" => Descriptor::Inherited,
        _ => Descriptor::Raw(raw),
    })
}

fn raw(word: &str) -> Vec<u8> {
    if word.starts_with(':') {
        from_hex(word)
    } else {
        Vec::new()
    }
}

fn times(words: &[&str]) -> Option<Times> {
    if words[0] == "=" {
        return None;
    }
    let number = |n: usize| words[n].parse().expect("a number");
    Some(Times {
        modified: number(0),
        accessed: number(1),
        changed: number(2),
        created: number(3),
    })
}

/// Calls a function with the entry of a line.
fn with_entry<T>(line: &str, act: impl FnOnce(&Entry<'_>) -> T) -> T {
    let words: Vec<&str> = line.split(' ').collect();
    let (path, target, raw) = (text(words[1]), text(words[2]), raw(words[5]));
    act(&Entry {
        kind: kind(words[0]),
        path: &path,
        target: &target,
        size: words[3].parse().expect("a size"),
        attributes: Attributes::from_bits(words[4].parse().expect("attributes")),
        descriptor: descriptor(words[5], &raw),
        times: times(&words[6..]),
    })
}

fn add<W: Output>(layer: &mut Writer<'_, W>, entry: &Entry<'_>) -> Result<(), Error> {
    layer.add_entry(entry)?;
    if entry.kind == Kind::File {
        let size = usize::try_from(entry.size).expect("a size");
        return layer.write_all(&vec![b'x'; size]);
    }
    Ok(())
}

fn options<'a>(line: &str, raw: &'a [u8]) -> Options<'a> {
    let words: Vec<&str> = line.split(' ').collect();
    Options {
        descriptor: descriptor(words[1], raw).unwrap_or_default(),
        times: times(&words[2..]).unwrap_or_default(),
    }
}

fn make(lines: &[String]) -> Result<Vec<u8>, (Error, usize)> {
    let mut out = Vec::new();
    if lines[0] == "header" {
        for (at, line) in lines[1..].iter().enumerate() {
            with_entry(line, |entry| append_header(&mut out, entry))
                .map_err(|error| (error, at))?;
        }
        return Ok(out);
    }
    let layer_raw = raw(lines[0].split(' ').nth(1).unwrap_or_default());
    let mut layer = Writer::with_options(&mut out, options(&lines[0], &layer_raw));
    for (at, line) in lines[1..].iter().enumerate() {
        with_entry(line, |entry| add(&mut layer, entry)).map_err(|error| (error, at))?;
    }
    layer.finish().map_err(|failed| (failed.error, 0))?;
    Ok(out)
}

/// Makes each call by itself; returns what came of each, and the bytes.
fn call(lines: &[String]) -> (String, Vec<u8>) {
    let mut out = Vec::new();
    let mut results = String::new();
    let layer_raw = raw(lines[0].split(' ').nth(1).unwrap_or_default());
    let mut layer = Writer::with_options(&mut out, options(&lines[0], &layer_raw));
    let mut answer = |done: Result<(), Error>| match done {
        Ok(()) => results += " -",
        Err(error) => results += &format!(" {}", error.code()),
    };
    for line in &lines[1..] {
        if line == "close" {
            answer(layer.finish().map(drop).map_err(Error::from));
            break; // it consumes the writer
        }
        answer(with_entry(line, |entry| add(&mut layer, entry)));
    }
    (results, out)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().collect();
    let mut out = io::BufWriter::new(io::stdout());
    if let [_, _, folder, path, times] = &words[..] {
        let mut layer = Writer::new(IoOutput(&mut out));
        let tree = Tree {
            own_times: times == "own",
            ..Tree::default()
        };
        layer.add_tree(path, Path::new(folder), &tree)?;
        layer.finish().map_err(|failed| failed.error)?;
        return Ok(());
    }
    let mut asked = Vec::new();
    for line in io::stdin().lock().lines() {
        asked.push(line?);
        if asked.last().map(String::as_str) == Some("end") {
            let lines = &asked[..asked.len() - 1];
            if lines[0].starts_with("calls ") {
                let (results, made) = call(lines);
                writeln!(out, "calls{results} {}", made.len())?;
                out.write_all(&made)?;
                asked.clear();
                continue;
            }
            match make(lines) {
                Ok(made) => {
                    writeln!(out, "ok {}", made.len())?;
                    out.write_all(&made)?;
                }
                Err((error, at)) => writeln!(out, "error {} {at}", error.code())?,
            }
            asked.clear();
        }
    }
    out.flush()?;
    Ok(())
}
