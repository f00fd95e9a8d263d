// SPDX-License-Identifier: Apache-2.0

//! Saves the vendored layer in both its forms, and the BCD store by itself: `save FOLDER`

use std::{error::Error, fs, path::Path};

#[path = "../../output/rust/windows_scratch.rs"] // a placeholder: from where you vendored it
mod windows_scratch;

use windows_scratch::{bcd, verify, BLOB, DIFF_ID, DIGEST, LAYER, MEDIA_TYPE, NAME};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: save FOLDER")?;
    let folder = Path::new(&folder);
    verify()?;
    fs::write(folder.join("layer.tar"), LAYER)?;
    fs::write(folder.join("layer.tar.gz"), BLOB)?;
    fs::write(folder.join("BCD"), bcd())?;
    println!("{NAME} {DIFF_ID} {DIGEST} {MEDIA_TYPE}");
    Ok(())
}
