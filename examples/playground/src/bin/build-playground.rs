//! Builds the page: the library as WebAssembly, the glue between it and JavaScript, and all of it in one HTML file that
//! opens from a disk as well as from a server.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli_support::Bindgen;

/// The lines of the page in whose places the files are put that they name.
const STYLE: &str = "<link rel=\"stylesheet\" href=\"style.css\">";
const SCRIPT: &str = "<script src=\"page.js\"></script>";
const TARGET: &str = "wasm32-unknown-unknown";
/// In the workspace's `Cargo.toml`.
const PROFILE: &str = "small";
const NAME: &str = "lobby_playground";

fn main() -> anyhow::Result<()> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = package.join("../..").canonicalize()?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let library = compile(&workspace, &target)?;

    let out = target.join("playground");
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(&library)
        .out_name(NAME)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .no_modules(true)?;
    bindgen.generate(&out)?;

    let glue = fs::read_to_string(out.join(format!("{NAME}.js")))?;
    let wasm = fs::read(out.join(format!("{NAME}_bg.wasm")))?;
    let page = out.join("index.html");
    fs::write(&page, assemble(&package.join("page"), &glue, &wasm)?)?;

    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&wasm)?;
    let gzipped = gzip.finish()?.len();
    println!("{} bytes of WebAssembly, {gzipped} gzipped", wasm.len());
    println!("{}", page.display());
    Ok(())
}

fn compile(workspace: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(workspace)
        .args(["build", "--locked", "--package", "lobby-playground", "--lib"])
        .args(["--target", TARGET, "--profile", PROFILE, "--target-dir"])
        .arg(target)
        .status()
        .context("cargo cannot be started")?;
    ensure!(
        status.success(),
        "cargo failed; is the target there? rustup target add {TARGET}"
    );
    Ok(target.join(TARGET).join(PROFILE).join(format!("{NAME}.wasm")))
}

/// Puts everything into one file, so that a browser that refuses to load modules from a disk has nothing to load.
fn assemble(sources: &Path, glue: &str, wasm: &[u8]) -> anyhow::Result<String> {
    let read = |name: &str| fs::read_to_string(sources.join(name)).context(name.to_owned());
    let (mut page, script) = (read("index.html")?, read("page.js")?);
    for script in [glue, &script] {
        ensure!(!script.contains("</script"), "a script would end in its midst");
    }
    let library = STANDARD.encode(wasm);
    let scripts = format!(
        "<script id=\"library\" type=\"text/plain\">{library}</script>\n<script>\n{glue}</script>\n<script>\n{script}</script>"
    );
    let style = format!("<style>\n{}</style>", read("style.css")?);
    for (line, content) in [(STYLE, style), (SCRIPT, scripts)] {
        let (before, after) = page
            .split_once(line)
            .with_context(|| format!("the page has no {line}"))?;
        page = format!("{before}{content}{after}");
    }
    Ok(page)
}
