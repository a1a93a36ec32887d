//! What it costs to write and to read frames and what is in them: `cargo bench -p manager-protocol`.

#![allow(clippy::unwrap_used, reason = "a measurement may fail at any point")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use manager_protocol::{
    Code, Decoder, Encoded, Error, ErrorReply, FrameKind, Operation, ReplyHeader, RequestHeader, check, decode_body,
    decode_value, dict, encode_value, finish_frame, split_frame, start_frame, start_reply, write_error_reply,
    write_request_header, write_value,
};

const ID: u64 = 1 << 20;
const OBJECT: u64 = 7;
const VERSION: u64 = 1 << 17;

/// Bytes of the values that are written and read.
const SIZES: [usize; 3] = [64, 1024, 64 * 1024];

fn key() -> Vec<u8> {
    encode_value("key-00000001").unwrap()
}

fn text(bytes: usize) -> String {
    "v".repeat(bytes)
}

fn write_insert(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let start = start_frame(out, FrameKind::Request);
    write_request_header(out, ID, dict::Insert::ROW.number, OBJECT);
    dict::Insert { key: key.into(), value: value.into() }.encode(out);
    finish_frame(out, start);
}

fn write_reply(out: &mut Vec<u8>, value: &[u8]) {
    let start = start_reply(out, ID, VERSION);
    write_value(out, value);
    finish_frame(out, start);
}

/// The body of the one frame that was written.
fn body(bytes: &[u8]) -> &[u8] {
    split_frame(bytes, usize::MAX).unwrap().unwrap().0.body
}

fn headers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("header");
    let mut out = Vec::with_capacity(1024);
    group.bench_function("write of a request", |bencher| {
        bencher.iter(|| {
            out.clear();
            write_request_header(&mut out, black_box(ID), dict::Get::ROW.number, OBJECT);
        });
    });
    out.push(0x90);
    group.bench_function("read of a request", |bencher| {
        bencher.iter(|| RequestHeader::parse(black_box(&out)).unwrap().id);
    });
    group.finish();
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    let key = key();
    for size in SIZES {
        let value = encode_value(&text(size)).unwrap();
        let mut out = Vec::with_capacity(2 * size + 1024);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::new("write", size), &value, |bencher, value| {
            bencher.iter(|| {
                out.clear();
                write_insert(&mut out, &key, black_box(value));
            });
        });
        group.bench_function(BenchmarkId::new("read", size), |bencher| {
            bencher.iter(|| {
                let header = RequestHeader::parse(body(black_box(&out))).unwrap();
                dict::Request::decode(header.operation, header.arguments).unwrap().row().number
            });
        });
    }
    group.finish();
}

fn replies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reply");
    for size in SIZES {
        let value = encode_value(&text(size)).unwrap();
        let mut out = Vec::with_capacity(2 * size + 1024);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::new("write", size), &value, |bencher, value| {
            bencher.iter(|| {
                out.clear();
                write_reply(&mut out, black_box(value));
            });
        });
        group.bench_function(BenchmarkId::new("read", size), |bencher| {
            bencher.iter(|| {
                let header = ReplyHeader::parse(body(black_box(&out))).unwrap();
                let mut result = Decoder::new(header.result);
                let value: Option<Encoded<'_>> = result.argument("result").unwrap();
                value.map(|value| value.as_slice().len())
            });
        });
    }
    group.finish();
}

fn errors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("error");
    let error = Error::new(Code::NoSuchObject, "no object has the id 7: it was deleted, or never was");
    let mut out = Vec::with_capacity(1024);
    group.bench_function("write", |bencher| {
        bencher.iter(|| {
            out.clear();
            write_error_reply(&mut out, ID, black_box(&error));
        });
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| decode_body::<ErrorReply>(FrameKind::Error, body(black_box(&out))).unwrap().code);
    });
    group.finish();
}

fn values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("value");
    for size in SIZES {
        // Many short texts: what must be looked into is more than one length.
        let words: Vec<String> = (0..size / 16).map(|number| format!("{number:015}")).collect();
        let encoded = encode_value(&words).unwrap();
        group.throughput(Throughput::Bytes(encoded.len() as u64));
        group.bench_with_input(BenchmarkId::new("encode", size), &words, |bencher, words| {
            bencher.iter(|| encode_value(black_box(words)).unwrap().len());
        });
        group.bench_with_input(BenchmarkId::new("check", size), &encoded, |bencher, encoded| {
            bencher.iter(|| check(black_box(encoded)).unwrap());
        });
        group.bench_with_input(BenchmarkId::new("decode", size), &encoded, |bencher, encoded| {
            bencher.iter(|| decode_value::<Vec<String>>(black_box(encoded)).unwrap().len());
        });
    }
    group.finish();
}

criterion_group! {
    name = frames;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50);
    targets = headers, requests, replies, errors, values
}
criterion_main!(frames);
