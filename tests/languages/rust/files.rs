// SPDX-License-Identifier: Apache-2.0

//! Makes layers on top of what it reads, and answers with their bytes: `tests/helpers/layer_vectors.py` has the words.
//!
//! With `tree FOLDER PATH own|one` it writes the layer of a folder, with its entries' own times or one.

use std::io::{self, BufRead, Write};
use std::path::Path;

#[path = "../../../output/rust/windows_files.rs"]
mod windows_files;

use windows_files::{
    append_header, Descriptor, Entry, Error, IoOutput, Kind, Options, Times, Tree, Writer,
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

fn make(lines: &[String]) -> Result<Vec<u8>, (Error, usize)> {
    let first: Vec<&str> = lines[0].split(' ').collect();
    let mut out = Vec::new();
    let layer_raw = raw(first.get(1).unwrap_or(&""));
    let mut layer = match first[0] {
        "layer" => Some(Writer::with(
            &mut out,
            Options {
                descriptor: descriptor(first[1], &layer_raw).unwrap_or_default(),
                times: times(&first[2..]).unwrap_or_default(),
            },
        )),
        _ => None,
    };
    let mut headers = Vec::new();
    for (at, line) in lines[1..].iter().enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let (path, target, raw) = (text(words[1]), text(words[2]), raw(words[5]));
        let entry = Entry {
            kind: kind(words[0]),
            path: &path,
            target: &target,
            size: words[3].parse().expect("a size"),
            attributes: words[4].parse().expect("attributes"),
            descriptor: descriptor(words[5], &raw),
            times: times(&words[6..]),
        };
        let done = match &mut layer {
            None => append_header(&mut headers, &entry),
            Some(layer) if entry.kind == Kind::File => {
                let size = usize::try_from(entry.size).expect("a size");
                layer
                    .add_entry(&entry)
                    .and_then(|()| layer.write(&vec![b'x'; size]))
            }
            Some(layer) => layer.add_entry(&entry),
        };
        done.map_err(|error| (error, at))?;
    }
    match layer {
        None => Ok(headers),
        Some(layer) => {
            layer.finish().map_err(|failed| (failed.error, 0))?;
            Ok(out)
        }
    }
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
            match make(&asked[..asked.len() - 1]) {
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
