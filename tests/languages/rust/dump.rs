// SPDX-License-Identifier: Apache-2.0

//! Writes what every layer's module holds into the folder that is its argument, as `NAME.tar` and so on.

use std::fs;
use std::io::Read;
use std::path::Path;

// One module for each layer, and `layers()`, a row for each.
include!(env!("LAYERS_RS"));

type Row = (
    &'static str,
    &'static str,
    [usize; 2],
    &'static [u8],
    &'static [u8],
    Option<&'static [u8]>,
    Result<(), String>,
);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).expect("a folder");
    let folder = Path::new(&folder);
    for (name, media_type, sizes, mut layer, blob, bcd, verified) in layers() {
        verified?;
        assert_eq!(media_type, "application/vnd.oci.image.layer.v1.tar+gzip");
        assert_eq!(sizes, [layer.len(), blob.len()]);
        if let Some(bcd) = bcd {
            assert!(layer.as_ptr_range().contains(&bcd.as_ptr()), "no copy");
            fs::write(folder.join(format!("{name}.bcd")), bcd)?;
        }
        fs::write(folder.join(format!("{name}.tar.gz")), blob)?;
        let mut read = Vec::new();
        layer.read_to_end(&mut read)?;
        fs::write(folder.join(format!("{name}.tar")), read)?;
    }
    Ok(())
}
