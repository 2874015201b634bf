//! What questions ask for, as tables: it is Wednesday, 20 November 2024, 15:00 in São Paulo.

use jiff::tz::{TimeZone, offset};
use proptest::prelude::*;

use super::*;

const NOW: &str = "2024-11-20T18:00:00Z";

fn zone() -> TimeZone {
    TimeZone::fixed(offset(-3))
}

fn at(text: &str, now: &str) -> Vec<TimeRange> {
    times(text, now.parse().unwrap(), &zone())
}

/// The days of a range as a person there writes them: "2024-03-01..2024-04-01".
fn written(range: &TimeRange) -> String {
    let day = |time: Timestamp| {
        let local = jiff::Timestamp::from_millisecond(time.as_millis()).unwrap().to_zoned(zone());
        let midnight = local.time() == jiff::civil::Time::midnight();
        local.strftime(if midnight { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%M" }).to_string()
    };
    match range.sort {
        Sort::Within => format!("{}..{}", day(range.from), day(range.until)),
        Sort::Since => format!("{}..", day(range.from)),
        Sort::Before => format!("..{}", day(range.until)),
    }
}

/// What is asked for, `expected` in days; several are separated by a blank, nothing is "".
fn check(text: &str, expected: &str) {
    let found: Vec<String> = at(text, NOW).iter().map(written).collect();
    assert_eq!(found.join(" "), expected, "{text}");
}

#[test]
fn days_near_today() {
    check("o que falamos hoje?", "2024-11-20..2024-11-21");
    check("o que falamos ontem à noite?", "2024-11-19..2024-11-20");
    check("e anteontem?", "2024-11-18..2024-11-19");
    check("antes de ontem eu disse", "2024-11-18..2024-11-19");
    check("what did I say yesterday", "2024-11-19..2024-11-20");
    check("the day before yesterday", "2024-11-18..2024-11-19");
    check("last night's idea", "2024-11-19..2024-11-20");
    check("what did you tell me this morning?", "2024-11-20..2024-11-21");
    check("o que decidimos nesta manhã", "2024-11-20..2024-11-21");
}

#[test]
fn weeks_months_and_years_of_the_calendar() {
    check("na semana passada", "2024-11-11..2024-11-18");
    check("last week", "2024-11-11..2024-11-18");
    check("a semana retrasada", "2024-11-04..2024-11-11");
    check("the week before last", "2024-11-04..2024-11-11");
    check("o que foi dito nesta semana", "2024-11-18..2024-11-25");
    check("this week", "2024-11-18..2024-11-25");
    check("no mês passado", "2024-10-01..2024-11-01");
    check("no mes passado", "2024-10-01..2024-11-01");
    check("last month", "2024-10-01..2024-11-01");
    check("este mês", "2024-11-01..2024-12-01");
    check("ano passado", "2023-01-01..2024-01-01");
    check("last year", "2023-01-01..2024-01-01");
    check("neste ano", "2024-01-01..2025-01-01");
    check("na última semana", "2024-11-11..2024-11-21");
    check("no fim de semana passado", "2024-11-16..2024-11-18");
    check("last weekend", "2024-11-16..2024-11-18");
    check("over the weekend", "2024-11-16..2024-11-18");
    check("this weekend", "2024-11-23..2024-11-25");
}

#[test]
fn so_long_ago() {
    check("há três dias", "2024-11-17..2024-11-18");
    check("ha 3 dias", "2024-11-17..2024-11-18");
    check("faz duas semanas", "2024-11-04..2024-11-11");
    check("três dias atrás", "2024-11-17..2024-11-18");
    check("two months ago", "2024-09-01..2024-10-01");
    check("a year ago", "2023-01-01..2024-01-01");
    check("há um ano", "2023-01-01..2024-01-01");
    check("2 hours ago", "2024-11-20T12:00..2024-11-20T14:00");
    check("há 10 minutos", "2024-11-20T14:49..2024-11-20T14:51");
    check("a few days ago", "2024-11-13..2024-11-20");
    check("há alguns dias", "2024-11-13..2024-11-20");
    check("a couple of weeks ago", "2024-10-28..2024-11-18");
    check("nos últimos 3 dias", "2024-11-17..2024-11-21");
    check("in the past two weeks", "2024-11-06..2024-11-21");
    check("in the past month", "2024-10-20..2024-11-21");
    check("nos últimos dias", "2024-11-13..2024-11-21");
}

#[test]
fn dates_by_their_numbers() {
    check("em 12/03/2024", "2024-03-12..2024-03-13");
    check("on 2024-03-12", "2024-03-12..2024-03-13");
    check("12.3.2024", "2024-03-12..2024-03-13");
    check("12/03/24", "2024-03-12..2024-03-13");
    check("03/25/2024", "2024-03-25..2024-03-26");
    check("em 12/03", "2024-03-12..2024-03-13");
    check("no dia 24/12", "2023-12-24..2023-12-25");
    check("12/mar/2024", "2024-03-12..2024-03-13");
    check("em 03/2024", "2024-03-01..2024-04-01");
    check("no dia 12", "2024-11-12..2024-11-13");
    check("no dia 25", "2024-10-25..2024-10-26");
    check("on the 12th", "2024-11-12..2024-11-13");
    for none in
        ["31/02/2024", "12/13/14/15", "3/4 of it", "version 1.2.3", "24/7", "1.12.2024.5", "10-20", "9:30"]
    {
        check(none, "");
    }
}

#[test]
fn dates_by_their_names() {
    check("em março de 2024", "2024-03-01..2024-04-01");
    check("em marco de 2024", "2024-03-01..2024-04-01");
    check("March 2024", "2024-03-01..2024-04-01");
    check("in March, 2024", "2024-03-01..2024-04-01");
    check("12 de março", "2024-03-12..2024-03-13");
    check("1º de maio de 2023", "2023-05-01..2023-05-02");
    check("March 12th, 2024", "2024-03-12..2024-03-13");
    check("12 March", "2024-03-12..2024-03-13");
    check("the 12th of March", "2024-03-12..2024-03-13");
    check("on 8 May, 2023", "2023-05-08..2023-05-09");
    check("Dec 5", "2023-12-05..2023-12-06");
    check("5 de out", "2024-10-05..2024-10-06");
    check("em maio", "2024-05-01..2024-06-01");
    check("in May", "2024-05-01..2024-06-01");
    check("em dezembro", "2023-12-01..2024-01-01");
    check("in November", "2024-11-01..2024-12-01");
    check("em março do ano passado", "2023-03-01..2023-04-01");
    check("March last year", "2023-03-01..2023-04-01");
    check("last March", "2024-03-01..2024-04-01");
    check("novembro passado", "2023-11-01..2023-12-01");
    check("in 2023", "2023-01-01..2024-01-01");
    check("em 2023", "2023-01-01..2024-01-01");
    check("as notas de 2023", "2023-01-01..2024-01-01");
    check("no dia 29 de fevereiro", "2024-02-29..2024-03-01");
}

#[test]
fn days_of_the_week() {
    check("on Monday", "2024-11-18..2024-11-19");
    check("last Friday", "2024-11-15..2024-11-16");
    check("on Wednesday", "2024-11-13..2024-11-14");
    check("na segunda", "2024-11-18..2024-11-19");
    check("o que eu disse na segunda sobre o deploy", "2024-11-18..2024-11-19");
    check("na sexta-feira passada", "2024-11-15..2024-11-16");
    check("na última sexta", "2024-11-15..2024-11-16");
    check("no sábado", "2024-11-16..2024-11-17");
    check("segunda da semana passada", "2024-11-11..2024-11-12");
    check("Tuesday of last week", "2024-11-12..2024-11-13");
    check("nesta quinta", "2024-11-21..2024-11-22");
}

#[test]
fn seasons_and_feasts() {
    // the north's summer is over, the south's began in December
    check("last summer", "2024-06-01..2024-10-01");
    check("no verão passado", "2023-12-01..2024-04-01");
    check("no verao passado", "2023-12-01..2024-04-01");
    check("no inverno", "2024-06-01..2024-10-01");
    check("in the winter", "2023-12-01..2024-04-01");
    check("summer of 2023", "2023-06-01..2023-10-01");
    check("o verão de 2023", "2022-12-01..2023-04-01");
    check("at Christmas", "2023-12-24..2023-12-27");
    check("no Natal", "2023-12-24..2023-12-27");
    check("Natal de 2022", "2022-12-24..2022-12-27");
    check("last Easter", "2024-03-29..2024-04-02");
    check("no carnaval", "2024-02-10..2024-02-15");
    check("New Year's Eve", "2023-12-31..2024-01-02");
}

#[test]
fn ranges_and_halves() {
    check("entre março e maio de 2024", "2024-03-01..2024-06-01");
    check("between March and May", "2024-03-01..2024-06-01");
    check("from November to January", "2023-11-01..2024-02-01");
    check("between 2021 and 2023", "2021-01-01..2024-01-01");
    check("de 12 a 15 de março", "2024-03-12..2024-03-16");
    check("entre 12 e 15 de março", "2024-03-12..2024-03-16");
    check("March 12-15, 2023", "2023-03-12..2023-03-16");
    check("from May 3 to May 8", "2024-05-03..2024-05-09");
    check("de março a maio de 2023", "2023-03-01..2023-06-01");
    check("since March", "2024-03-01..");
    check("desde ontem", "2024-11-19..");
    check("desde o Natal", "2023-12-24..");
    check("a partir de maio de 2023", "2023-05-01..");
    check("from 2023 on", "2023-01-01..");
    check("depois de março de 2024", "2024-04-01..");
    check("after 2022", "2023-01-01..");
    check("antes de 2023", "..2023-01-01");
    check("before last week", "..2024-11-11");
    check("até maio", "..2024-06-01");
    check("until yesterday", "..2024-11-20");
}

#[test]
fn words_that_look_like_times_are_none() {
    for none in [
        "may I ask?",
        "it may rain",
        "march on",
        "a second",
        "the sun",
        "sat down",
        "na segunda vez",
        "a quinta parte",
        "Marco disse",
        "a casa de Marco",
        "fomos a Natal",
        "set 12 alarms",
        "sold out 12 tickets",
        "spring boot",
        "they fall",
        "the fall of Rome",
        "toda segunda-feira",
        "every Monday",
        "next Friday",
        "2024 rows",
        "port 8080",
        "há muito tempo",
        "um maiô novo",
        "3 days",
        "the last page",
        "décima hora",
        "12%",
        "room 12",
        "last",
        "entre nós",
        "from here to there",
        "antes de tudo",
        "desde que",
    ] {
        check(none, "");
    }
}

#[test]
fn several_times_in_one_question() {
    check("ontem ou na semana passada?", "2024-11-19..2024-11-20 2024-11-11..2024-11-18");
    check("compare May 2023 and May 2024", "2023-05-01..2023-06-01 2024-05-01..2024-06-01");
}

#[test]
fn the_span_takes_in_the_words_that_lead_to_it() {
    for (text, expected) in [
        ("o que decidimos em março de 2024?", "em março de 2024"),
        ("What happened on the 12th of March, 2024, and why", "on the 12th of March, 2024"),
        ("reunião da semana passada", "semana passada"),
        ("tudo desde ontem!", "desde ontem"),
    ] {
        let found = at(text, NOW);
        assert_eq!(&text[found[0].span.clone()], expected, "{text}");
    }
}

#[test]
fn how_sure_it_is() {
    for (text, expected) in [
        ("yesterday", Certainty::Day),
        ("12/03/2024", Certainty::Day),
        ("last week", Certainty::Period),
        ("in March 2024", Certainty::Period),
        ("between March and May 2024", Certainty::Period),
        ("in March", Certainty::Vague),
        ("12 de março", Certainty::Vague),
        ("last summer", Certainty::Vague),
        ("a few days ago", Certainty::Vague),
    ] {
        assert_eq!(at(text, NOW)[0].certainty, expected, "{text}");
    }
}

#[test]
fn days_begin_where_the_person_is() {
    // it is still the 19th there
    let found = at("hoje", "2024-11-20T02:00:00Z");
    assert_eq!(written(&found[0]), "2024-11-19..2024-11-20");
    assert_eq!(found[0].from.to_string(), "2024-11-19T03:00:00.000Z");
}

#[test]
fn a_weekday_on_that_day_is_a_week_ago_and_weekends_end() {
    let on = |text: &str, now: &str| written(&at(text, now)[0]);
    assert_eq!(on("last weekend", "2024-11-24T18:00:00Z"), "2024-11-16..2024-11-18");
    assert_eq!(on("no fim de semana", "2024-11-24T18:00:00Z"), "2024-11-23..2024-11-25");
    assert_eq!(on("last month", "2024-03-31T18:00:00Z"), "2024-02-01..2024-03-01");
    assert_eq!(on("last summer", "2024-07-10T18:00:00Z"), "2023-06-01..2023-10-01");
}

proptest! {
    #[test]
    fn any_text_gives_ordered_ranges_in_it(text in ".{0,80}", now in -60_000_000_000_000i64..250_000_000_000_000) {
        sound(&text, now);
    }

    #[test]
    fn any_words_for_times_give_ordered_ranges(
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..12),
        glue in prop::sample::select(vec![" ", "", "/", "-", ", "]),
        now in -62_167_219_200_000i64..253_402_207_200_000,
    ) {
        sound(&words.join(glue), now);
    }
}

const WORDS: &[&str] = &[
    "12", "31", "2024", "29", "99", "0", "9999", "março", "may", "fev", "de", "entre", "e", "a", "desde",
    "antes", "last", "week", "há", "três", "999", "dias", "anos", "ago", "segunda", "feira", "verão",
    "passado", "Natal", "the", "th", "since", "from", "to", "on", "ontem", "fim", "semana", "ano", "new",
    "year", "'", "s", "eve", "past", "few",
];

fn sound(text: &str, now: i64) {
    let found = times(text, Timestamp::from_millis(now), &zone());
    for range in &found {
        assert!(range.from < range.until, "{text}: {range:?}");
        assert!(text.get(range.span.clone()).is_some_and(|part| !part.is_empty()), "{text}: {range:?}");
    }
    assert!(found.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start), "{text}: {found:?}");
    let _ = mentions(text);
}
