//! `listener inbox`, `listener dead-letters`: notifications that wait, and what could not be understood.

use runledger_listener::counting::counted;
use runledger_listener::listener_db::{DeadLetter, Letter, ListenerDb};
use serde_json::json;

use super::listener::print_json;
use crate::arguments::Letters;
use crate::failure::{Failure, Result};

/// No more than anybody would read; the rest is counted.
const AT_MOST: u32 = 1000;

/// Lists the notifications that wait.
pub(super) fn waiting(db: &ListenerDb, as_json: bool) -> Result {
    let letters = db.waiting(if as_json { u32::MAX } else { AT_MOST })?;
    if as_json {
        return print_json(&letters.iter().map(waiting_letter).collect::<Vec<_>>());
    }
    for letter in &letters {
        let why = letter.last_error.as_deref().unwrap_or("not tried yet");
        println!(
            "{}  {}  tried {}×  {why}",
            letter.id, letter.topic, letter.tries
        );
        println!("    {}", String::from_utf8_lossy(&letter.payload));
    }
    match (db.depth()?, letters.len()) {
        (0, _) => println!("No notification waits."),
        (all, shown) if all as usize > shown => println!("… and {} more", all as usize - shown),
        _ => {}
    }
    Ok(())
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
        let place = format!("{}/{}/{}", letter.topic, letter.partition, letter.offset);
        println!("{}  {place}  {}", letter.id, letter.reason);
        println!("    {}", String::from_utf8_lossy(&letter.payload));
    }
    if letters.is_empty() {
        println!("There are no dead letters.");
    }
    Ok(())
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
