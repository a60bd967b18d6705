//! Databases of passwords and users.

use super::block::Block;
use super::names::is_yes;

/// A `passdb` or `userdb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its section, as it stands.
    pub block: Block,
    /// How it looks users up: `passwd-file`, `sql`, `pam`.
    pub driver: String,
}

impl Database {
    pub(crate) fn of(block: &Block) -> Self {
        // 2.4: the section's name is the driver where it names none.
        let driver = block.get("driver").or_else(|| block.get(&format!("{}_driver", block.kind)));
        Self { block: block.clone(), driver: driver.unwrap_or(&block.name).to_owned() }
    }

    /// A setting, by its name in 2.4 without the prefixes that the section adds: `default_password_scheme`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let driver = self.driver.replace('-', "_");
        let kind = &self.block.kind;
        let prefixed = [
            name.to_owned(),
            format!("{kind}_{name}"),
            format!("{driver}_{name}"),
            format!("{kind}_{driver}_{name}"),
        ];
        prefixed.iter().find_map(|name| self.block.get(name))
    }

    /// A word of `args` (2.3): the value of `key=value`.
    #[must_use]
    pub fn argument(&self, key: &str) -> Option<&str> {
        self.arguments().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    /// The words of `args` (2.3).
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.block.get("args").unwrap_or_default().split_whitespace()
    }

    /// The file that it reads: accounts of a passwd-file, or the settings of SQL and LDAP in 2.3.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        let modern = self.get("passwd_file_path").or_else(|| self.get("path"));
        modern.or_else(|| self.arguments().filter(|word| word.starts_with('/')).last())
    }

    /// The scheme of passwords that name none, if it is set here.
    #[must_use]
    pub fn scheme(&self) -> Option<&str> {
        self.argument("scheme").or_else(|| self.get("default_password_scheme"))
    }

    /// Whether it holds master users, who open everybody's mailbox.
    #[must_use]
    pub fn is_master(&self) -> bool {
        self.get("master").is_some_and(is_yes)
    }

    /// Whether whom it finds is refused.
    #[must_use]
    pub fn denies(&self) -> bool {
        self.get("deny").is_some_and(is_yes)
    }

    /// All it says of fields: `default_fields`, `override_fields`, `args` (2.3), `fields { }` (2.4), as `key=value` or `key`.
    #[must_use]
    pub fn fields(&self) -> Vec<String> {
        let old =
            ["default_fields", "override_fields", "args"].iter().filter_map(|name| self.block.get(name));
        let mut fields: Vec<_> = old.flat_map(str::split_whitespace).map(str::to_owned).collect();
        let named = ["fields", "passdb_fields", "userdb_fields"];
        for block in self.block.blocks.iter().filter(|block| named.contains(&block.kind.as_str())) {
            fields.extend(block.settings.iter().map(|(key, value)| format!("{key}={value}")));
        }
        fields
    }

    /// How it is written in a report: `passdb passwd-file`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.block.kind, self.driver)
    }
}
