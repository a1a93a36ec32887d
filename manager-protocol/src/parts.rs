//! Puts a message together from its parts, within a limit.

use crate::error::{Code, Error, Result};

/// The parts of one message so far.
#[derive(Debug)]
pub struct Assembly {
    content: Vec<u8>,
    limit: usize,
}

impl Assembly {
    /// An empty message that may grow to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { content: Vec::new(), limit }
    }

    /// Adds the next part. Memory grows with what has arrived, never by a claim.
    ///
    /// # Errors
    /// [`Code::FrameTooLarge`] if the message would grow over its limit.
    pub fn push(&mut self, part: &[u8]) -> Result<()> {
        if part.len() > self.limit - self.content.len() {
            return Err(Error::new(
                Code::FrameTooLarge,
                format!("a message in parts is over the limit of {} bytes", self.limit),
            ));
        }
        self.content.extend_from_slice(part);
        Ok(())
    }

    /// The kind and body of the whole message.
    #[must_use]
    pub fn into_content(self) -> Vec<u8> {
        self.content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_may_reach_its_limit_and_not_pass_it() {
        let mut assembly = Assembly::new(4);
        assembly.push(&[1, 2]).unwrap();
        assembly.push(&[3, 4]).unwrap();
        assert_eq!(assembly.push(&[5]).unwrap_err().code, Code::FrameTooLarge);
        assert_eq!(assembly.into_content(), [1, 2, 3, 4]);
    }
}
