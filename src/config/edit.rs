//! Changes single settings in a configuration file; comments, order and everything else in it stay.

use std::path::Path;

use anyhow::Context as _;
use mailward_host::atomic;
use toml_edit::{DocumentMut, Item, Table, Value};

use super::{ConfigError, read};

/// A setting to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Its section: `["rules", "auth-failure-fast"]`.
    pub(crate) section: Vec<String>,
    /// Its name.
    pub(crate) key: String,
    /// Its value as TOML.
    pub(crate) value: String,
    /// Why, as a comment above it.
    pub(crate) comment: String,
}

/// Writes settings into a file, or a new file; what the file was stands beside it with `.old`. Nothing is written that could not be
/// read again.
pub(crate) fn write(path: &Path, edits: &[Edit]) -> anyhow::Result<()> {
    let before = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let text = edited(before.as_deref().unwrap_or_default(), edits)?;
    read::read(&text)
        .map_err(|mistakes| ConfigError::Mistakes { path: path.to_path_buf(), mistakes })
        .context(
            "with the new settings there would be mistakes in the configuration, so nothing was written",
        )?;
    if let Some(before) = before {
        let mut old = path.as_os_str().to_owned();
        old.push(".old");
        atomic::write(Path::new(&old), before.as_bytes(), None)?;
    } else if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(atomic::write(path, text.as_bytes(), (!path.exists()).then_some(0o644))?)
}

/// A text with settings in it.
fn edited(text: &str, edits: &[Edit]) -> anyhow::Result<String> {
    let mut document: DocumentMut =
        text.parse().context("the configuration is no TOML; see: mailward config check")?;
    for edit in edits {
        let mut table = document.as_table_mut();
        for name in &edit.section {
            let implicit = edit.section.last() != Some(name);
            let item = table.entry(name).or_insert_with(|| {
                let mut new = Table::new();
                new.set_implicit(implicit);
                Item::Table(new)
            });
            table =
                item.as_table_mut().with_context(|| format!("{name} is no section of the configuration"))?;
        }
        let value: Value = edit.value.parse().with_context(|| format!("{} is no value", edit.value))?;
        put(table, edit, value);
    }
    Ok(document.to_string())
}

/// A value in the place of the old one keeps what stands around it.
fn put(table: &mut Table, edit: &Edit, mut value: Value) {
    if let Some(old) = table.get_mut(&edit.key).and_then(Item::as_value_mut) {
        *value.decor_mut() = old.decor().clone();
        *old = value;
        return;
    }
    table.insert(&edit.key, Item::Value(value));
    if let Some(mut key) = table.key_mut(&edit.key) {
        key.leaf_decor_mut().set_prefix(format!("# {}\n", edit.comment.replace('\n', " ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(section: &[&str], key: &str, value: &str) -> Edit {
        Edit {
            section: section.iter().map(|name| (*name).to_owned()).collect(),
            key: key.to_owned(),
            value: value.to_owned(),
            comment: "as it was".to_owned(),
        }
    }

    #[test]
    fn everything_else_in_the_file_stays() {
        let before = "# mine\n[guard]\nmode = \"dry-run\"  # for a week\n# [rules.auth-failure-fast]\n# threshold = 3\n\n[ladder]\n";
        let edits = [
            edit(&["guard"], "mode", "\"enforce\""),
            edit(&["rules", "auth-failure-fast"], "threshold", "2"),
            edit(&["ladder"], "most", "\"52w\""),
        ];
        let expected = "# mine\n[guard]\nmode = \"enforce\"  # for a week\n# [rules.auth-failure-fast]\n# threshold = 3\n\n[ladder]\n# as it was\nmost = \"52w\"\n\n[rules.auth-failure-fast]\n# as it was\nthreshold = 2\n";
        let after = edited(before, &edits).unwrap();
        assert_eq!(after, expected);
        assert_eq!(edited(&after, &edits).unwrap(), expected);
        assert!(read::read(&after).is_ok());
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/mailward.toml");
        write(&path, &[edit(&["rules", "auth-failure-fast"], "threshold", "4")]).unwrap();
        let before = std::fs::read_to_string(&path).unwrap();
        assert!(write(&path, &[edit(&["rules", "auth-failure-fast"], "threshold", "0")]).is_err());
        assert!(write(&path, &[edit(&["guard"], "no-such-thing", "1")]).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        std::fs::write(&path, "[guard\n").unwrap();
        assert!(write(&path, &[edit(&["guard"], "mode", "\"enforce\"")]).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[guard\n");
    }
}
