//! What a path names.

pub struct Address {
    pub group: String,
    pub collection: String,
    pub resource: String,
    pub name: Option<String>,
    pub subresource: Option<String>,
}

impl Address {
    pub fn path(&self) -> String {
        format!(
            "{}/{}",
            self.collection,
            self.name.as_deref().unwrap_or_default()
        )
    }

    /// As a role names it.
    pub fn with_subresource(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource),
            None => self.resource.clone(),
        }
    }
}

/// `/api/v1/namespaces/NS/RESOURCE/NAME/SUBRESOURCE`, or the same with `/apis/GROUP/VERSION`, or without a namespace.
pub fn address(path: &str) -> Address {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, rest) = match parts[0] {
        "api" => ("", &parts[2..]),
        _ => (parts[1], &parts[3..]),
    };
    let rest = if rest[0] == "namespaces" {
        &rest[2..]
    } else {
        rest
    };
    Address {
        group: group.to_owned(),
        collection: rest[0].to_owned(),
        resource: rest[0].to_owned(),
        name: rest.get(1).map(|&name| name.to_owned()),
        subresource: rest.get(2).map(|&name| name.to_owned()),
    }
}

/// `GROUP/VERSION` of `/apis/GROUP/VERSION`.
pub fn discovery(path: &str) -> Option<String> {
    let version = path.strip_prefix("/apis/")?;
    (version.matches('/').count() == 1).then(|| version.to_owned())
}

pub fn decoded(text: &str) -> String {
    text.replace("%3D", "=")
        .replace("%2C", ",")
        .replace("%2F", "/")
        .replace("%21", "!")
        .replace('+', " ")
}
