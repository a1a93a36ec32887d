//! Large values by way of the client.

use manager_client::{Code, Manager};
use manager_tests::{server, server_with};

const LARGE: usize = 100_000_000;

/// Text that repeats itself, but at no distance that is a round number.
fn large(len: usize) -> String {
    let block: String =
        (0..99_991_u32).map(|at| (b'a' + (at.wrapping_mul(2_654_435_761) >> 24) as u8 % 26) as char).collect();
    let mut text = block.repeat(len / block.len() + 1);
    text.truncate(len);
    text
}

#[test]
fn a_value_of_a_hundred_megabytes_goes_both_ways() {
    let server = server();
    let manager = server.manager();
    let dict = manager.dict::<String, String>("dict").unwrap();
    let value = large(LARGE);
    dict.set("large", &value).unwrap();
    assert!(dict.get("large").unwrap() == Some(value), "what came back is another");
    assert_eq!(dict.len().unwrap(), 1);
}

#[test]
fn a_value_over_the_servers_limit_is_refused_and_nothing_else_suffers() {
    let server = server_with(|config| {
        config.limits.max_frame = 64 * 1024;
        config.limits.max_message = 1024 * 1024;
    });
    let manager = server.manager();
    let dict = manager.dict::<String, String>("dict").unwrap();
    let fits = large(1_000_000);
    dict.set("fits", &fits).unwrap();
    let error = dict.set("large", &large(1_100_000)).unwrap_err();
    assert!(error.is_limit_exceeded() && !error.is_disconnected() && !error.is_outcome_unknown(), "{error:?}");
    assert!(error.to_string().contains("1048576"), "{error:?}");
    assert_eq!(dict.keys().unwrap(), ["fits"], "it was not done, and the connection lives on");
    // What the server holds may be longer than what it takes at once.
    dict.set("also fits", &fits).unwrap();
    assert_eq!(dict.values().unwrap(), [fits.clone(), fits]);
}

#[test]
fn a_reply_over_the_clients_limit_is_an_error_that_says_so() {
    let server = server();
    let dict = server.manager().dict::<String, String>("dict").unwrap();
    dict.set("large", &large(40_000_000)).unwrap();
    let manager = Manager::options().max_message(1_000_000).connect(server.socket()).unwrap();
    let limited = manager.dict::<String, String>("dict").unwrap();
    let error = limited.get("large").unwrap_err();
    assert!(format!("{error:?}").contains("limit of 1000000"), "{error:?}");
    assert!(error.is_limit_exceeded(), "{error:?}");
    assert_eq!(error.code(), None::<Code>);
    assert_eq!(limited.len().unwrap(), 1, "a new connection takes over");
    assert_eq!(dict.len().unwrap(), 1);
}
