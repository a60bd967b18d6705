//! The files of the tree.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file.
pub(crate) struct File {
    /// Its path from the root of the workspace, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the tree, in order of path: what is built, fetched or recorded is not part of it.
pub(crate) fn files() -> Vec<File> {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "this is not the workspace");
    files
}

/// Every file whose path ends so.
pub(crate) fn files_ending(end: &str) -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(end)).collect()
}

/// The folders in `crates/`.
pub(crate) fn crates() -> Vec<String> {
    let folders = fs::read_dir(root().join("crates")).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = folders
        .filter(|folder| folder.path().join("Cargo.toml").exists())
        .map(|folder| folder.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const NOT_OURS: &[&str] = &["target", ".git", "fuzz/target", "fuzz/corpus", "fuzz/artifacts"];

fn collect(folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) {
            collect(&path, files);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            files.push(File { path: name, text });
        }
    }
}
