// SPDX-License-Identifier: Apache-2.0

//! Reads the layers with the crates `tar` and `flate2`, and pushes an image of them with `ocipkg`:
//! `clients URL NAME TAG`. It prints the digests of what it pushed: the base layer, the one on top, the configuration.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read;

use flate2::read::GzDecoder;
use flate2::{write::GzEncoder, Compression};
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, Digest, ImageConfigurationBuilder, ImageManifestBuilder,
    MediaType, Os, RootFsBuilder,
};
use ocipkg::distribution::Client;

#[path = "../../../../../output/rust/windows_files.rs"]
mod windows_files;
#[path = "../../../../../output/rust/windows_hostprocess.rs"]
mod windows_hostprocess;

use windows_files::{IoOutput, Writer};
use windows_hostprocess as base;

type Done<T> = Result<T, Box<dyn Error>>;

/// Returns each entry's name, and the keys of its PAX records.
fn entries(tar: impl Read) -> Done<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_str().ok_or("a name")?.to_owned();
        let mut keys = Vec::new();
        if let Some(records) = entry.pax_extensions()? {
            for record in records {
                keys.push(record?.key()?.to_owned());
            }
        }
        found.insert(name, keys);
    }
    Ok(found)
}

fn push(client: &mut Client, media_type: MediaType, data: &[u8]) -> Done<Descriptor> {
    let (digest, _) = client.push_blob(data)?;
    Ok(Descriptor::new(media_type, data.len() as u64, digest))
}

fn main() -> Done<()> {
    let words: Vec<String> = std::env::args().collect();
    let [_, url, name, tag] = &words[..] else {
        return Err("usage: clients URL NAME TAG".into());
    };
    base::verify()?;
    let mut unpacked = Vec::new();
    GzDecoder::new(base::BLOB).read_to_end(&mut unpacked)?;
    assert!(unpacked == base::LAYER, "the blob is the layer");
    let hives = entries(base::LAYER)?;
    assert!(hives.contains_key("Files/Windows/System32/config/SYSTEM"));

    let mut layer = Writer::new(IoOutput(GzEncoder::new(Vec::new(), Compression::best())));
    layer.add("app/größe.exe", b"MZ")?;
    let top = layer.finish()?.0.finish()?;
    let found = entries(GzDecoder::new(&top[..]))?;
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["Files", "Files/app", "Files/app/größe.exe", "Hives"]
    );
    assert!(found["Files/app/größe.exe"].contains(&"MSWINDOWS.rawsd".to_owned()));
    let mut tar = Vec::new();
    GzDecoder::new(&top[..]).read_to_end(&mut tar)?;
    let diff_id = Digest::try_from(base::DIFF_ID)?;

    let mut client = Client::new(url::Url::parse(url)?, ocipkg::Name::new(name)?)?;
    let layers = vec![
        push(&mut client, MediaType::from(base::MEDIA_TYPE), base::BLOB)?,
        push(&mut client, MediaType::ImageLayer, &tar)?,
    ];
    assert_eq!(layers[0].digest().to_string(), base::DIGEST);
    let diff_ids = vec![diff_id.to_string(), layers[1].digest().to_string()];
    let config = ImageConfigurationBuilder::default()
        .architecture(Arch::Amd64)
        .os(Os::Windows)
        .config(ConfigBuilder::default().build()?)
        .rootfs(
            RootFsBuilder::default()
                .typ("layers")
                .diff_ids(diff_ids)
                .build()?,
        )
        .build()?
        .to_string()?;
    let config = push(&mut client, MediaType::ImageConfig, config.as_bytes())?;
    for each in layers.iter().chain([&config]) {
        println!("{}", each.digest());
    }
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers)
        .build()?;
    client.push_manifest(&ocipkg::Reference::new(tag)?, &manifest)?;
    Ok(())
}
