//! Texts with gaps: `{name}` is filled in, `{{` and `}}` are single braces.

/// What is wrong with a template, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// "has the placeholder {tody}, which does not exist"
    pub found: String,
    /// "did you mean {today}?"
    pub hint: String,
}

/// Fills the gaps of `template`. A gap without a value stays as it is written, which [`problem`] rules out.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    for part in parts(template) {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Gap(name) => match values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => filled.push_str(value),
                None => filled.push_str(&format!("{{{name}}}")),
            },
            Part::Open => filled.push('{'),
        }
    }
    filled
}

/// What is wrong with `template` where only the gaps in `known` can be filled.
pub fn problem(template: &str, known: &[&str]) -> Option<Problem> {
    let all = known.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ");
    parts(template).find_map(|part| match part {
        Part::Text(_) => None,
        Part::Gap(name) if known.contains(&name) => None,
        Part::Gap(name) => {
            let nearest = known
                .iter()
                .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
            let nearest = nearest.filter(|known| strsim::jaro_winkler(known, name) > 0.7);
            Some(Problem {
                found: format!("has the placeholder {{{name}}}, which does not exist"),
                hint: match nearest {
                    Some(known) => format!("did you mean {{{known}}}? A brace of its own is written {{{{"),
                    None => format!("it may have {all}; a brace of its own is written {{{{"),
                },
            })
        }
        Part::Open => Some(Problem {
            found: "has a { that is not closed".into(),
            hint: format!("it may have {all}; a brace of its own is written {{{{"),
        }),
    })
}

enum Part<'a> {
    Text(&'a str),
    Gap(&'a str),
    /// A brace without its counterpart.
    Open,
}

fn parts(template: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        let at = rest.find(['{', '}']).unwrap_or(rest.len());
        if at > 0 {
            let (text, after) = rest.split_at(at);
            rest = after;
            return Some(Part::Text(text));
        }
        if rest.is_empty() {
            return None;
        }
        if rest.starts_with("{{") || rest.starts_with('}') {
            // "}" alone closes nothing and is a brace like "}}"
            let (brace, after) = rest.split_at(1);
            rest = after.strip_prefix(brace).unwrap_or(after);
            return Some(Part::Text(brace));
        }
        match rest[1..].split_once('}') {
            Some((name, after)) if !name.contains(['{', '\n']) => {
                rest = after;
                Some(Part::Gap(name))
            }
            _ => {
                rest = &rest[1..];
                Some(Part::Open)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_and_braces_stay() {
        let check = |template: &str, expected: &str| {
            assert_eq!(fill(template, &[("today", "2024-03-14"), ("words", "{today}")]), expected);
        };
        check("Today is {today}.", "Today is 2024-03-14.");
        check("{words}", "{today}");
        check("{{\"a\": {{}}}} {today}", "{\"a\": {}} 2024-03-14");
        check("} a {", "} a {");
        check("", "");
    }

    #[test]
    fn what_cannot_be_filled_is_named_with_what_comes_nearest() {
        let check = |template: &str, found: &str, hint: &str| {
            let problem = problem(template, &["today", "words"]).expect(template);
            assert!(problem.found.contains(found) && problem.hint.contains(hint), "{problem:?}");
        };
        check("It is {tody}", "{tody}", "did you mean {today}?");
        check("{zzz}", "{zzz}", "it may have {today}, {words}");
        check("a { b", "not closed", "{{");
        assert_eq!(problem("{{today}} {words} }", &["words"]), None);
    }
}
