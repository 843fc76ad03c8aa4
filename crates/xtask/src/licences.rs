//! The cheap half of cargo-deny: every dependency has a licence we may use, and doubles are listed.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::host::{self, cargo};

/// The same list stands in `deny.toml`.
const ALLOWED: [&str; 9] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

pub(crate) fn check() -> anyhow::Result<()> {
    let printed = host::output(cargo().args(["metadata", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&printed).context("cargo metadata printed something else")?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    list_doubles(packages);
    let refused: Vec<String> = packages.iter().filter_map(refused).collect();
    if refused.is_empty() {
        println!("{} packages, every licence is on the list", packages.len());
        Ok(())
    } else {
        bail!("licences that are not on the list: {}", refused.join(", "))
    }
}

fn list_doubles(packages: &[Value]) {
    let mut versions = BTreeMap::<&str, Vec<&str>>::new();
    for package in packages {
        let [name, version] = ["name", "version"].map(|key| package[key].as_str().unwrap_or("?"));
        versions.entry(name).or_default().push(version);
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        println!("twice in the tree: {name} {}", versions.join(", "));
    }
}

fn refused(package: &Value) -> Option<String> {
    let name = package["name"].as_str().unwrap_or("?");
    let licence = package["license"].as_str().unwrap_or("no licence");
    (!is_allowed(licence)).then(|| format!("{name} ({licence})"))
}

/// Whether an SPDX expression leaves us a choice that is on the list.
///
/// `OR` binds weaker than `AND`; a slash is an `OR` of older manifests. Parentheses are worked off from within:
/// an allowed group counts as "MIT", another one as a name that no list has.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    if let Some((before, rest)) = expression.rsplit_once('(')
        && let Some((group, after)) = rest.split_once(')')
    {
        let verdict = if is_allowed(group) { "MIT" } else { "refused" };
        return is_allowed(&format!("{before}{verdict}{after}"));
    }
    let every = |choice: &str| choice.split(" AND ").all(|licence| ALLOWED.contains(&licence.trim()));
    expression.split(" OR ").any(every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_choice_is_enough_and_every_part_of_it_counts() {
        for good in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(MIT OR GPL-3.0) AND Unicode-3.0", "(MIT)"] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "no licence", "(MIT OR ISC) AND MPL-2.0", ""] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
