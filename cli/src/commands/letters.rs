//! `listener inbox`, `listener dead-letters`: notifications that wait, and what could not be understood.

use runledger_listener::counting::counted;
use runledger_listener::excerpt::excerpt;
use runledger_listener::listener_db::{DeadLetter, Letter, ListenerDb};
use serde_json::json;

use super::listener::print_json;
use crate::arguments::Letters;
use crate::failure::{Failure, Result};

/// No more than anybody would read; the rest is counted.
const AT_MOST: u32 = 1000;
/// So many characters of a message are shown to people.
const SHOWN: usize = 2000;

/// Lists the notifications that wait.
pub(super) fn waiting(db: &ListenerDb, as_json: bool) -> Result {
    let letters = db.waiting((!as_json).then_some(AT_MOST))?;
    if as_json {
        return print_json(&letters.iter().map(waiting_letter).collect::<Vec<_>>());
    }
    for letter in &letters {
        let why = letter.last_error.as_deref().unwrap_or("not tried yet");
        let why = excerpt(why);
        println!(
            "{}  {}  tried {}×  {why}",
            letter.id, letter.topic, letter.tries
        );
        println!("    {}", shown(&letter.payload));
    }
    match (db.depth()?, letters.len()) {
        (0, _) => println!("No notification waits."),
        (all, shown) if all as usize > shown => println!("… and {} more", all as usize - shown),
        _ => {}
    }
    Ok(())
}

/// What a message says, of a long one the beginning.
fn shown(payload: &[u8]) -> String {
    // No character has more than four bytes.
    let beginning = String::from_utf8_lossy(&payload[..payload.len().min(4 * SHOWN)]);
    match beginning.char_indices().nth(SHOWN) {
        Some((end, _)) => format!(
            "{}… ({} bytes in all; --json has them)",
            &beginning[..end],
            payload.len()
        ),
        None => beginning.into_owned(),
    }
}

fn waiting_letter(letter: &Letter) -> serde_json::Value {
    json!({
        "id": letter.id, "topic": letter.topic, "sent_at": letter.sent_at, "received_at": letter.received_at,
        "tries": letter.tries, "next_try": letter.next_try, "last_error": letter.last_error,
        "payload": String::from_utf8_lossy(&letter.payload),
    })
}

/// Lists what could not be understood.
pub(super) fn dead(db: &ListenerDb, as_json: bool) -> Result {
    let letters = db.dead_letters()?;
    if as_json {
        return print_json(&letters.iter().map(dead_letter).collect::<Vec<_>>());
    }
    for letter in &letters {
        println!("{}", heading(letter));
        println!("    {}", shown(&letter.payload));
    }
    if letters.is_empty() {
        println!("There are no dead letters.");
    }
    Ok(())
}

/// Which one it is, and what is wrong with it.
fn heading(letter: &DeadLetter) -> String {
    let place = format!("{}/{}/{}", letter.topic, letter.partition, letter.offset);
    format!("{}  {place}  {}", letter.id, excerpt(&letter.reason))
}

fn dead_letter(letter: &DeadLetter) -> serde_json::Value {
    json!({
        "id": letter.id, "topic": letter.topic, "partition": letter.partition, "offset": letter.offset,
        "sent_at": letter.sent_at, "received_at": letter.received_at, "reason": letter.reason,
        "payload": String::from_utf8_lossy(&letter.payload),
    })
}

/// Hands dead letters to the listener again.
pub(super) fn replay(db: &mut ListenerDb, which: Letters) -> Result {
    match which {
        Letters::All => {
            let all = counted(db.replay_all()?, "dead letter");
            println!("In the inbox again: {all}");
        }
        Letters::One(id) if db.replay(id)? => println!("Dead letter {id} is in the inbox again"),
        Letters::One(id) => return Err(Failure::new(format!("there is no dead letter {id}"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_message_the_beginning_is_shown() {
        assert_eq!(shown("{\"run\": 7}".as_bytes()), "{\"run\": 7}");
        assert_eq!(shown("€".repeat(SHOWN).as_bytes()), "€".repeat(SHOWN));
        let long = "€".repeat(SHOWN + 1);
        let cut = format!("{}… ({} bytes", "€".repeat(SHOWN), long.len());
        assert!(shown(long.as_bytes()).starts_with(&cut));
        // Bytes that are no text are each one character.
        assert!(shown(&vec![0xff; 50_000_000]).len() < 4 * SHOWN);
    }

    #[test]
    fn of_a_long_reason_too() {
        let letter = DeadLetter {
            id: 3,
            topic: "t".into(),
            partition: 0,
            offset: 7,
            sent_at: None,
            received_at: 0.0,
            reason: "its `proposal` is 99".to_owned() + &"9".repeat(880_000),
            payload: Vec::new(),
        };
        let said = heading(&letter);
        assert!(said.starts_with("3  t/0/7  its `proposal` is 99"));
        assert!(said.ends_with("9…") && said.len() < 300, "{}", said.len());
        assert_eq!(dead_letter(&letter)["reason"], letter.reason);
    }
}
