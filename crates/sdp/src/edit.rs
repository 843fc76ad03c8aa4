//! Changes to a text that leave all else as it is.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::attribute::Attribute;
use crate::error::ParseError;
use crate::media::Media;
use crate::session::SessionDescription;

/// A text with some attributes changed. Every other line comes back byte for byte, in its place.
///
/// ```
/// use floe_sdp::{Attribute, Edit, SessionDescription};
///
/// let text = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=x-what:ever\r\n\
///             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=x-how:so\r\n";
/// let mut edit = Edit::new(&SessionDescription::parse(text)?);
/// edit.add(Some(0), &Attribute::parse("a=end-of-candidates")?);
/// assert_eq!(edit.finish()?, format!("{text}a=end-of-candidates\r\n"));
/// # Ok::<(), floe_sdp::ParseError>(())
/// ```
#[derive(Clone)]
pub struct Edit<'a> {
    /// Lines with their ends: of the session, then of each section.
    levels: Vec<Vec<Cow<'a, str>>>,
    end: &'static str,
    /// The first attribute that is none.
    error: Option<ParseError>,
}

impl<'a> Edit<'a> {
    /// Begins with the text as it is.
    pub fn new(description: &SessionDescription<'a>) -> Self {
        let sections: usize = description.media.iter().map(|media| media.as_str().len()).sum();
        let session = description.as_str().len().saturating_sub(sections);
        let session = description.as_str().get(..session).unwrap_or_default();
        let texts = core::iter::once(session).chain(description.media.iter().map(Media::as_str));
        let lines = |text: &'a str| text.split_inclusive('\n').map(Cow::Borrowed).collect();
        let end = if description.as_str().contains("\r\n") { "\r\n" } else { "\n" };
        Self { levels: texts.map(lines).collect(), end, error: None }
    }

    /// Adds an attribute behind all others of the section, or of the session if that is `None`. There is no effect if
    /// there is no such section.
    pub fn add(&mut self, section: Option<usize>, attribute: &Attribute<'_>) {
        let line = self.line(attribute);
        let end = self.end;
        let Some(lines) = self.level(section) else { return };
        if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
            last.to_mut().push_str(end);
        }
        lines.push(Cow::Owned(line));
    }

    /// Puts an attribute in the place of the first of the same name, or behind all others if there is none.
    pub fn set(&mut self, section: Option<usize>, attribute: &Attribute<'_>) {
        let text = format!("{attribute}");
        let name = text.split(':').next().unwrap_or_default();
        let line = self.line(attribute);
        let found = self.level(section).and_then(|lines| lines.iter_mut().find(|line| is_named(line, name)));
        match found {
            Some(place) => *place = Cow::Owned(line),
            None => self.add(section, attribute),
        }
    }

    /// Takes out every attribute of that name.
    pub fn remove(&mut self, section: Option<usize>, name: &str) {
        if let Some(lines) = self.level(section) {
            lines.retain(|line| !is_named(line, name));
        }
    }

    /// The new text.
    ///
    /// # Errors
    ///
    /// It is no description: an attribute that may stand once was added twice, or one that was made by hand does not
    /// follow the grammar.
    pub fn finish(&self) -> Result<String, ParseError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let text: String = self.levels.iter().flatten().map(|line| &**line).collect();
        SessionDescription::parse(&text)?;
        Ok(text)
    }

    /// The line of an attribute, which must be one line whoever made it.
    fn line(&mut self, attribute: &Attribute<'_>) -> String {
        let text = format!("a={attribute}");
        self.error = self.error.take().or_else(|| Attribute::parse(&text).err());
        format!("{text}{}", self.end)
    }

    fn level(&mut self, section: Option<usize>) -> Option<&mut Vec<Cow<'a, str>>> {
        self.levels.get_mut(section.map_or(0, |index| index.saturating_add(1)))
    }
}

/// Without the text: there is a password in it.
impl fmt::Debug for Edit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit").field("levels", &self.levels.len()).finish_non_exhaustive()
    }
}

fn is_named(line: &str, name: &str) -> bool {
    let attribute = line.trim_end_matches(['\r', '\n']).strip_prefix("a=");
    attribute.is_some_and(|text| text.split(':').next().unwrap_or_default().eq_ignore_ascii_case(name))
}
