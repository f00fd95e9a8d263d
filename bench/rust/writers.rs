// SPDX-License-Identifier: Apache-2.0

//! Writes small files to nowhere, by the writer of layers on top (ours) or by the crate `tar` with the same records
//! (theirs): `writers ours|theirs NUMBER`

use std::error::Error;
use std::io;

#[path = "../../output/rust/windows_files.rs"]
mod windows_files;

use windows_files::{IoOutput, Writer};

const DATA: [u8; 100] = [b'x'; 100];

fn path(number: usize) -> String {
    format!("app/dir{}/file{number:06}.txt", number / 1000)
}

fn ours(number: usize) -> Result<(), Box<dyn Error>> {
    let mut layer = Writer::new(IoOutput(io::sink()));
    for n in 0..number {
        layer.add(&path(n), &DATA)?;
    }
    layer.finish()?;
    Ok(())
}

/// Writes the records of one file of ours before each file, which has all but the directories.
fn theirs(number: usize) -> Result<(), Box<dyn Error>> {
    let mut layer = Writer::new(Vec::new());
    layer.add("file", &DATA)?;
    let made = layer.finish()?;
    let mut records = Vec::new();
    for entry in tar::Archive::new(&made[..]).entries()? {
        if let Some(found) = entry?.pax_extensions()? {
            records.clear();
            for record in found {
                let record = record?;
                records.push((record.key()?.to_owned(), record.value_bytes().to_owned()));
            }
        }
    }
    assert_eq!(records.len(), 5);
    let mut out = tar::Builder::new(io::sink());
    for n in 0..number {
        out.append_pax_extensions(
            records
                .iter()
                .map(|(key, value)| (key.as_str(), &value[..])),
        )?;
        let mut header = tar::Header::new_ustar();
        header.set_size(DATA.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(315_619_200);
        out.append_data(&mut header, "Files/".to_owned() + &path(n), &DATA[..])?;
    }
    out.finish()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().collect();
    match &words[..] {
        [_, which, number] if which == "ours" => ours(number.parse()?),
        [_, which, number] if which == "theirs" => theirs(number.parse()?),
        _ => Err("usage: writers ours|theirs NUMBER".into()),
    }
}
