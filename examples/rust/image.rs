// SPDX-License-Identifier: Apache-2.0

//! Makes a Windows image of a folder, an OCI layout that skopeo pushes: `cargo run -- FOLDER LAYOUT`

use sha2::{Digest, Sha256};
use std::{error::Error, fs, path::Path};

#[path = "../../output/rust/windows_files.rs"] // placeholders: both from where you vendored them
mod windows_files;
#[path = "../../output/rust/windows_hostprocess.rs"]
mod windows_hostprocess;

use windows_files::{Tree, Writer};
use windows_hostprocess as base;

const PLATFORM: &str = r#""architecture":"amd64","os":"windows""#;

/// Writes a blob; returns its digest, and its descriptor but for the end.
fn put(layout: &Path, media_type: &str, data: &[u8]) -> std::io::Result<(String, String)> {
    let hash = format!("{:x}", Sha256::digest(data));
    fs::write(layout.join("blobs/sha256").join(&hash), data)?;
    let size = data.len();
    let json = format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{hash}","size":{size}"#);
    Ok((format!("sha256:{hash}"), json))
}

fn image(folder: &Path, layout: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir(layout).map_err(|error| format!("{}: {error}", layout.display()))?;
    fs::create_dir_all(layout.join("blobs/sha256"))?;
    let mut layer = Writer::new(Vec::new());
    layer.add_tree("", folder, &Tree::default())?;
    let top = layer.finish()?;
    let kind = |what: &str| format!("application/vnd.oci.image.{what}");
    let (_, base_layer) = put(layout, base::MEDIA_TYPE, base::BLOB)?;
    let (top_digest, top_layer) = put(layout, &kind("layer.v1.tar"), &top)?;
    let rootfs = format!(r#""diff_ids":["{}","{top_digest}"]"#, base::DIFF_ID);
    let config = format!(r#"{{{PLATFORM},"config":{{}},"rootfs":{{"type":"layers",{rootfs}}}}}"#);
    let (_, config) = put(layout, &kind("config.v1+json"), config.as_bytes())?;
    let media_type = kind("manifest.v1+json");
    let layers = format!(r#""config":{config}}},"layers":[{base_layer}}},{top_layer}}}]}}"#);
    let manifest = format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}",{layers}"#);
    let (_, manifest) = put(layout, &media_type, manifest.as_bytes())?;
    let tag = r#""annotations":{"org.opencontainers.image.ref.name":"latest"}"#;
    let list = format!(r#"[{manifest},{tag},"platform":{{{PLATFORM}}}}}]"#);
    let media_type = kind("index.v1+json");
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":{list}}}"#);
    let version = r#"{"imageLayoutVersion":"1.0.0"}"#;
    fs::write(layout.join("oci-layout"), version)?;
    fs::write(layout.join("index.json"), index)?;
    Ok(())
}

fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    assert_eq!(words.len(), 2, "usage: image FOLDER LAYOUT");
    if let Err(error) = image(Path::new(&words[0]), Path::new(&words[1])) {
        eprintln!("image: {error}");
        std::process::exit(1);
    }
}
