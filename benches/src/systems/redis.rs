//! Redis through the crate `redis`. Requests are encoded once and only their keys are replaced, so that the client
//! costs as little as it can.

use std::collections::HashMap;
use std::path::Path;

use redis::{Cmd, Connection, ConnectionAddr, ConnectionLike, IntoConnectionInfo, Value, cmd};

use crate::client::{self, Outcome, expect, not_done};
use crate::keys::{KEY_BYTES, Keys, Random, key, value, values, write_key};
use crate::order::Report;
use crate::stopwatch::Stopwatch;
use crate::systems::manager::{grown, sized};
use crate::work::{BATCH, KEYS, MILLION, STREAMED, Stock, VALUE, Work, batch_of, keys_of};

pub(crate) struct Client {
    connection: Connection,
    keys: Keys,
    random: Random,
}

impl Client {
    pub(crate) fn connect(socket: &Path, index: usize) -> Outcome<Self> {
        let connection = redis::Client::open(ConnectionAddr::Unix(socket.to_owned()).into_connection_info()?)?;
        let connection = connection.get_connection()?;
        Ok(Self { connection, keys: Keys::of(index), random: Random::new(index) })
    }

    fn ask(&mut self, request: &Request) -> Outcome<Value> {
        Ok(self.connection.req_packed_command(&request.bytes)?)
    }

    fn tell(&mut self, command: &Cmd) -> Outcome {
        Ok(command.exec(&mut self.connection)?)
    }

    /// Fills a hash with this part of so many entries.
    fn fill(&mut self, hash: &str, entries: usize, part: usize, parts: usize) -> Outcome {
        let value = value(VALUE);
        let (mut first, end) = (entries * part / parts, entries * (part + 1) / parts);
        while first < end {
            let next = end.min(first + BATCH);
            let mut command = cmd("HSET");
            command.arg(hash);
            for index in first..next {
                command.arg(key(0, index)).arg(&value);
            }
            self.tell(&command)?;
            first = next;
        }
        Ok(())
    }

    /// Does it with one random key after the other, `depth` at once.
    fn pipelined(&mut self, one: &Request, depth: usize, mut watch: Stopwatch, right: Judge) -> Outcome<Report> {
        let mut all = one.repeated(depth);
        watch.start();
        while watch.goes_on() {
            for index in 0..depth {
                all.set_key(index, self.keys.any(KEYS));
            }
            let answers = self.connection.req_packed_commands(&all.bytes, 0, depth)?;
            expect(answers.len() == depth && answers.iter().all(|answer| right(answer, VALUE)))?;
            watch.lap(depth);
        }
        Ok(watch.report())
    }

    /// Does it with one random key of its own after the other.
    fn each(
        &mut self,
        mut request: Request,
        size: usize,
        count: usize,
        mut watch: Stopwatch,
        right: Judge,
    ) -> Outcome<Report> {
        watch.start();
        while watch.goes_on() {
            request.set_key(0, self.keys.any(count));
            expect(right(&self.ask(&request)?, size))?;
            watch.lap(1);
        }
        Ok(watch.report())
    }

    /// Does it with one random key of a large hash after the other.
    fn grown(&mut self, mut request: Request, entries: usize, mut watch: Stopwatch, right: Judge) -> Outcome<Report> {
        let mut key = String::new();
        watch.start();
        while watch.goes_on() {
            write_key(&mut key, 0, self.random.below(entries));
            request.set_key(0, &key);
            expect(right(&self.ask(&request)?, VALUE))?;
            watch.lap(1);
        }
        Ok(watch.report())
    }

    /// Does these requests in turns, which are one operation.
    fn in_turns(&mut self, requests: &[Request], mut watch: Stopwatch) -> Outcome<Report> {
        watch.start();
        while watch.goes_on() {
            for request in requests {
                expect(!matches!(self.ask(request)?, Value::Nil | Value::ServerError(_) | Value::Int(0)))?;
            }
            watch.lap(1);
        }
        Ok(watch.report())
    }
}

impl client::Client for Client {
    fn prepare(&mut self, stock: Stock, part: usize, parts: usize) -> Outcome {
        match stock {
            Stock::Entries { size } => {
                let name = sized(size);
                for keys in self.keys.all()[..keys_of(size)].chunks(batch_of(size)) {
                    hset(&name, keys, &values(keys, size)).exec(&mut self.connection)?;
                }
                Ok(())
            }
            Stock::Counters => Ok(hset("counters", self.keys.all(), &vec!["0"; KEYS]).exec(&mut self.connection)?),
            Stock::List => {
                self.tell(cmd("DEL").arg("list"))?;
                self.tell(cmd("RPUSH").arg("list").arg(vec![value(VALUE); KEYS]))
            }
            Stock::Grown { entries } => self.fill(&grown(entries), entries, part, parts),
            Stock::Numbers => {
                for _ in 0..MILLION / KEYS / parts {
                    let some: Vec<usize> = (0..KEYS).map(|_| self.random.below(1 << 40)).collect();
                    self.tell(cmd("RPUSH").arg("numbers").arg(some))?;
                }
                Ok(())
            }
        }
    }

    fn run(&mut self, work: Work, mut watch: Stopwatch) -> Outcome<Report> {
        match work {
            Work::Get { size } => self.each(hget(&sized(size)), size, keys_of(size), watch, is_value),
            Work::Insert { size } => self.each(replace(&sized(size), size), size, keys_of(size), watch, is_number),
            Work::Add => {
                let request = Request::of(cmd("HINCRBY").arg("counters").arg(PLACE).arg(1));
                self.each(request, 0, KEYS, watch, is_number)
            }
            Work::ListPush => {
                self.tell(cmd("DEL").arg("pushed"))?;
                self.in_turns(&[Request::of(cmd("RPUSH").arg("pushed").arg(value(VALUE)))], watch)
            }
            Work::ListIndex => {
                watch.start();
                while watch.goes_on() {
                    let request = Request::of(cmd("LINDEX").arg("list").arg(self.random.below(KEYS)));
                    expect(is_value(&self.ask(&request)?, VALUE))?;
                    watch.lap(1);
                }
                Ok(watch.report())
            }
            Work::Lock => {
                let acquire = Request::of(cmd("SET").arg("lock").arg("owner").arg("NX"));
                self.in_turns(&[acquire, Request::of(cmd("DEL").arg("lock"))], watch)
            }
            Work::Queue => {
                let put = Request::of(cmd("LPUSH").arg("queue").arg(value(VALUE)));
                self.in_turns(&[put, Request::of(cmd("RPOP").arg("queue"))], watch)
            }
            Work::PipelineGet { depth } => self.pipelined(&hget(&sized(VALUE)), depth, watch, is_value),
            Work::PipelineInsert { depth } => self.pipelined(&replace(&sized(VALUE), VALUE), depth, watch, is_number),
            Work::Bulk { entries } => {
                let keys = &self.keys.all()[..entries];
                let values = values(keys, VALUE);
                watch.start();
                while watch.goes_on() {
                    hset("bulk", keys, &values).exec(&mut self.connection)?;
                    watch.lap(entries);
                }
                Ok(watch.report())
            }
            Work::Snapshot => {
                let command = Request::of(cmd("HGETALL").arg(sized(VALUE)));
                watch.start();
                while watch.goes_on() {
                    let copy: HashMap<String, String> = redis::from_redis_value(self.ask(&command)?)?;
                    expect(copy.len() == KEYS)?;
                    watch.lap(1);
                }
                Ok(watch.report())
            }
            Work::GrownGet { entries } => self.grown(hget(&grown(entries)), entries, watch, is_value),
            Work::GrownInsert { entries } => self.grown(replace(&grown(entries), VALUE), entries, watch, is_number),
            Work::Compute => not_done(work),
            Work::Copy => {
                let command = Request::of(cmd("HGETALL").arg(grown(MILLION)));
                watch.start();
                while watch.goes_on() {
                    let copy: Vec<(String, String)> = redis::from_redis_value(self.ask(&command)?)?;
                    expect(copy.len() == MILLION)?;
                    watch.lap(1);
                }
                Ok(watch.report())
            }
            Work::Sort => self.in_turns(&[Request::of(cmd("SORT").arg("numbers").arg("STORE").arg("sorted"))], watch),
            Work::Stream => {
                let values = STREAMED.map(|size| Request::of(cmd("HSET").arg("stream").arg("value").arg(value(size))));
                watch.start();
                while watch.goes_on() {
                    for value in &values {
                        expect(is_number(&self.ask(value)?, 0))?;
                        watch.lap(1);
                    }
                }
                Ok(watch.report())
            }
        }
    }
}

/// Whether an answer is what it must be, of a value of this size.
type Judge = fn(&Value, usize) -> bool;

fn is_value(answer: &Value, size: usize) -> bool {
    matches!(answer, Value::BulkString(value) if value.len() == size)
}

fn is_number(answer: &Value, _size: usize) -> bool {
    matches!(answer, Value::Int(_))
}

fn hget(hash: &str) -> Request {
    Request::of(cmd("HGET").arg(hash).arg(PLACE))
}

fn replace(hash: &str, size: usize) -> Request {
    Request::of(cmd("HSET").arg(hash).arg(PLACE).arg(value(size)))
}

fn hset(hash: &str, keys: &[String], values: &[impl AsRef<str>]) -> Cmd {
    let mut command = cmd("HSET");
    command.arg(hash);
    for (key, value) in keys.iter().zip(values) {
        command.arg(key).arg(value.as_ref());
    }
    command
}

/// Requests as they are sent, with places for keys.
struct Request {
    bytes: Vec<u8>,
    /// Where the first key is, if there is one.
    place: usize,
    /// How long one request is.
    length: usize,
}

impl Request {
    fn of(command: &Cmd) -> Self {
        let bytes = command.get_packed_command();
        let place = bytes.windows(KEY_BYTES).position(|window| window == PLACE.as_bytes()).unwrap_or(0);
        Self { place, length: bytes.len(), bytes }
    }

    fn repeated(&self, times: usize) -> Self {
        Self { bytes: self.bytes.repeat(times), ..*self }
    }

    fn set_key(&mut self, index: usize, key: &str) {
        let place = index * self.length + self.place;
        self.bytes[place..place + KEY_BYTES].copy_from_slice(key.as_bytes());
    }
}

/// What stands where a key is put.
const PLACE: &str = "<the key's place";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_gets_its_own_key() {
        let mut requests = hget("numbers").repeated(2);
        requests.set_key(0, &key(0, 1));
        requests.set_key(1, &key(1, 2));
        let mut expected = cmd("HGET").arg("numbers").arg(key(0, 1)).get_packed_command();
        expected.extend(cmd("HGET").arg("numbers").arg(key(1, 2)).get_packed_command());
        assert_eq!(requests.bytes, expected);
    }
}
