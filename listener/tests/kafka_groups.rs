//! What a group has read, and from where it goes on, with the broker in this process.

use std::time::{Duration, Instant};

use runledger_listener::kafka::{
    Consumer, ConsumerSettings, EmbeddedBroker, Producer, ProducerSettings, Properties, Start,
};
use runledger_listener::message::Message;

const TOPIC: &str = "test.r2d2";
const LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

fn broker() -> EmbeddedBroker {
    EmbeddedBroker::start(&[TOPIC]).unwrap()
}

fn send(broker: &EmbeddedBroker, payload: &str) {
    let producer = Producer::new(&ProducerSettings::to(&broker.address())).unwrap();
    producer.send(1, TOPIC, payload.as_bytes()).unwrap();
    assert!(producer.flush(LIMIT).is_empty());
}

fn member(broker: &EmbeddedBroker, start: Start) -> Consumer {
    // A short session: the broker waits for a member that left without a word only so long.
    let properties = [("session.timeout.ms", "6000")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    Consumer::new(ConsumerSettings {
        brokers: broker.address(),
        topics: vec![TOPIC.into()],
        group_id: "listeners".into(),
        start,
        properties: Properties::from(properties),
    })
    .unwrap()
}

fn joined(consumer: &Consumer) {
    let until = Instant::now() + LIMIT;
    while !consumer.has_joined() {
        assert!(Instant::now() < until, "no partitions were given");
        assert_eq!(consumer.poll(LOOK, 1).unwrap(), []);
    }
}

fn next(consumer: &Consumer) -> Message {
    let until = Instant::now() + LIMIT;
    loop {
        if let Some(message) = consumer.poll(LOOK, 1).unwrap().pop() {
            return message;
        }
        assert!(Instant::now() < until, "no message came");
    }
}

#[test]
fn a_message_whose_effect_was_not_on_disk_comes_again() {
    let broker = broker();
    send(&broker, "first");
    let consumer = member(&broker, Start::Earliest);
    assert_eq!(next(&consumer).payload, b"first");
    assert!(consumer.close(LIMIT));
    let consumer = member(&broker, Start::Earliest);
    let again = next(&consumer);
    assert_eq!(
        (again.payload.as_slice(), again.offset),
        (b"first".as_slice(), 0)
    );
    consumer.store(&[again]);
    assert!(consumer.close(LIMIT));
    send(&broker, "second");
    let consumer = member(&broker, Start::Earliest);
    assert_eq!(next(&consumer).payload, b"second");
}

#[test]
fn now_means_the_first_start_also_where_nothing_came_before_the_second() {
    let broker = broker();
    send(&broker, "before the first start");
    let consumer = member(&broker, Start::Now);
    joined(&consumer);
    assert!(consumer.close(LIMIT));
    send(&broker, "between the two");
    let consumer = member(&broker, Start::Now);
    assert_eq!(next(&consumer).payload, b"between the two");
}

#[test]
fn a_message_has_the_time_at_which_it_was_sent() {
    let broker = broker();
    let before = now_ms();
    send(&broker, "x");
    let message = next(&member(&broker, Start::Earliest));
    assert!(
        (before..=now_ms()).contains(&message.timestamp),
        "{}",
        message.timestamp
    );
}

#[test]
fn a_broker_that_goes_away_is_a_silence_and_what_comes_later_is_read() {
    let broker = broker();
    let consumer = member(&broker, Start::Earliest);
    joined(&consumer);
    broker.set_reachable(false).unwrap();
    for _ in 0..10 {
        assert_eq!(consumer.poll(LOOK, 10).unwrap(), []);
    }
    broker.set_reachable(true).unwrap();
    send(&broker, "back");
    assert_eq!(next(&consumer).payload, b"back");
}

#[test]
fn a_member_that_could_not_begin_when_the_broker_went_away_begins_when_it_is_back() {
    let broker = broker();
    send(&broker, "kept");
    broker.hide_beginnings(true);
    let consumer = member(&broker, Start::Earliest);
    assert_eq!(consumer.poll(30 * LOOK, 1).unwrap(), []);
    broker.set_reachable(false).unwrap();
    assert_eq!(consumer.poll(10 * LOOK, 1).unwrap(), []);
    broker.hide_beginnings(false);
    broker.set_reachable(true).unwrap();
    assert_eq!(next(&consumer).payload, b"kept");
    assert!(consumer.has_joined());
}

#[test]
fn leaving_a_broker_that_does_not_answer_takes_no_longer_than_allowed() {
    let broker = broker();
    let consumer = member(&broker, Start::Earliest);
    joined(&consumer);
    broker.set_reachable(false).unwrap();
    let asked = Instant::now();
    consumer.close(Duration::from_secs(2));
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "{:?}",
        asked.elapsed()
    );
}

#[test]
fn a_property_that_the_library_does_not_know_is_named() {
    let settings = ProducerSettings {
        properties: Properties::from([("no.such.property".to_owned(), "1".to_owned())]),
        ..ProducerSettings::to("127.0.0.1:1")
    };
    let why = Producer::new(&settings).err().unwrap().to_string();
    assert!(why.contains("no.such.property"), "{why}");
}

#[test]
fn messages_arrive_in_the_order_in_which_they_were_sent() {
    let broker = broker();
    let producer = Producer::new(&ProducerSettings::to(&broker.address())).unwrap();
    for token in 0..50_u64 {
        producer
            .send(token, TOPIC, token.to_string().as_bytes())
            .unwrap();
    }
    assert!(producer.flush(LIMIT).is_empty());
    let delivered: Vec<u64> = producer.deliveries().iter().map(|one| one.token).collect();
    assert_eq!(delivered, (0..50).collect::<Vec<_>>());
    let consumer = member(&broker, Start::Earliest);
    let read: Vec<_> = (0..50).map(|_| next(&consumer).payload).collect();
    let sent: Vec<_> = (0..50)
        .map(|token| token.to_string().into_bytes())
        .collect();
    assert_eq!(read, sent);
}

#[test]
fn all_that_was_delivered_is_told_at_once() {
    const MESSAGES: u64 = 10;
    let broker = broker();
    // Its statistics would come between the reports.
    let settings = ProducerSettings {
        properties: Properties::from([("statistics.interval.ms".to_owned(), "0".to_owned())]),
        ..ProducerSettings::to(&broker.address())
    };
    let producer = Producer::new(&settings).unwrap();
    let consumer = member(&broker, Start::Earliest);
    // Each goes when the one before has arrived, so that the library has a report of its own for each.
    for token in 0..MESSAGES {
        producer.send(token, TOPIC, b"x").unwrap();
        next(&consumer);
    }
    // The report of the last one may still be under way.
    assert!(producer.deliveries().len() as u64 >= MESSAGES - 1);
}

#[test]
fn a_message_that_no_broker_takes_comes_back_with_the_reason() {
    let settings = ProducerSettings {
        message_timeout: Duration::from_millis(500),
        ..ProducerSettings::to("127.0.0.1:1")
    };
    let producer = Producer::new(&settings).unwrap();
    producer.send(7, TOPIC, b"x").unwrap();
    assert!(producer.flush(LIMIT).is_empty());
    let deliveries = producer.deliveries();
    assert_eq!((deliveries.len(), deliveries[0].token), (1, 7));
    assert!(deliveries[0].result.is_err());
}

fn now_ms() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
