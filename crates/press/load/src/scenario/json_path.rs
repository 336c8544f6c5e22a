//! Paths into JSON: the part of JSONPath (RFC 9535) that names one value. `$`, then `.name`, `['name']`, `[0]` or `[-1]` for the last.

use serde_json::Value;

/// The most steps of a path.
const MAX_STEPS: usize = 32;

/// A path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    /// From the front, or from the end.
    Element(usize),
    FromEnd(usize),
}

impl JsonPath {
    /// Reads a path. `None` if it is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let step;
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let name = after.get(..end).filter(|name| is_name(name))?;
                (step, rest) = (Step::Member(name.to_owned()), after.get(end..)?);
            } else {
                let after = rest.strip_prefix('[')?.trim_start();
                let first = after.chars().next()?;
                (step, rest) = if first == '\'' || first == '"' {
                    let (name, after) = after.get(1..)?.split_once(first)?;
                    (Step::Member(name.to_owned()), after.trim_start().strip_prefix(']')?)
                } else {
                    let (number, after) = after.split_once(']')?;
                    (element(number.trim())?, after)
                };
            }
            steps.push(step);
            if steps.len() > MAX_STEPS {
                return None;
            }
        }
        Some(Self(steps))
    }

    /// The value at the path.
    pub(super) fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, step| match (step, value) {
            (Step::Member(name), Value::Object(of)) => of.get(name),
            (Step::Element(number), Value::Array(of)) => of.get(*number),
            (Step::FromEnd(number), Value::Array(of)) => of.get(of.len().checked_sub(*number)?),
            _ => None,
        })
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|of| of.is_alphanumeric() || of == '_' || of == '-')
}

fn element(number: &str) -> Option<Step> {
    match number.strip_prefix('-') {
        Some(number) => number.parse().ok().filter(|number| *number > 0).map(Step::FromEnd),
        None => number.parse().ok().map(Step::Element),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_names_one_value() {
        let value = json!({"a": {"b": [10, {"c.d": "x"}, 30]}, "e-f": null});
        let check = |path: &str, expected: Option<Value>| {
            let found = JsonPath::parse(path).unwrap().find(&value).cloned();
            assert_eq!(found, expected, "{path}");
        };
        check("$", Some(value.clone()));
        check("$.a.b[0]", Some(json!(10)));
        check("$['a'].b[-1]", Some(json!(30)));
        check("$.a.b[1]['c.d']", Some(json!("x")));
        check(r#"$["e-f"]"#, Some(Value::Null));
        check("$.e-f", Some(Value::Null));
        for path in ["$.a.x", "$.a.b[3]", "$.a.b[-4]", "$.a[0]", "$.a.b.c"] {
            check(path, None);
        }
    }

    #[test]
    fn what_names_several_values_or_none_is_refused() {
        let deep = format!("${}", ".a".repeat(MAX_STEPS + 1));
        for path in
            ["", "a", ".a", "$a", "$.", "$..a", "$.*", "$[*]", "$[0:2]", "$[", "$['a]", "$[-0]", &deep]
        {
            assert_eq!(JsonPath::parse(path), None, "{path}");
        }
    }
}
