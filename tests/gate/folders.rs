//! Where the corpora lie.

use std::path::{Path, PathBuf};
use std::{env, fmt, fs};

/// Whether a set came into the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Inside,
    Outside,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inside => "tests/corpora",
            Self::Outside => "FLOE_CORPORA",
        })
    }
}

/// A folder of corpora.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// A file of a corpus and its path below the folder, with slashes.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl File {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.bytes).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

impl Folder {
    pub(crate) fn inside() -> Self {
        Self(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpora"))
    }

    /// What `FLOE_CORPORA` names, seen from the top of the project.
    pub(crate) fn outside() -> Option<Self> {
        let named = env::var_os("FLOE_CORPORA").filter(|named| !named.is_empty())?;
        Some(Self(Path::new(env!("CARGO_MANIFEST_DIR")).join(named)))
    }

    /// One file.
    pub(crate) fn file(&self, name: &str) -> File {
        let path = self.0.join(name);
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        File { name: name.to_owned(), bytes }
    }

    /// The file of this name, or all files of the folder of this name, in the order of their names.
    pub(crate) fn files(&self, name: &str) -> Vec<File> {
        if self.0.join(name).is_file() {
            return vec![self.file(name)];
        }
        let mut names = Vec::new();
        self.walk(&self.0.join(name), &mut names);
        names.sort();
        names.iter().map(|name| self.file(name)).collect()
    }

    /// The names of all files.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.walk(&self.0, &mut names);
        names.sort();
        names
    }

    fn walk(&self, folder: &Path, names: &mut Vec<String>) {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.walk(&path, names);
            } else {
                let name = path.strip_prefix(&self.0).unwrap();
                names.push(name.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
}
