//! Candidates on their way after the description: `application/trickle-ice-sdpfrag` (RFC 8840 section 9).
//!
//! A fragment is the lower half of a description: attributes for all, then for each section that has news a pseudo
//! "m=" line, whose `mid` says which one is meant and which otherwise means nothing.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::attribute::{Attribute, Group};
use crate::candidate::{CandidateLine, CandidateRef};
use crate::credentials::{IcePwd, IceUfrag};
use crate::error::{ParseError, ParseErrorKind};
use crate::media::{Level, Media, once};
use crate::reader::Reader;
use crate::session::Limits;
use crate::write::{BuildError, check_candidate, check_ufrag, push, room_for, write_candidates};

/// A fragment that was read. It borrows from the text, which `Display` gives back as it was.
#[derive(Clone)]
pub struct Fragment<'a> {
    text: &'a str,
    /// What stands for all sections: credentials if the description had them there, and the end of all candidates.
    pub level: Level,
    /// `group` lines.
    pub groups: Vec<Group<'a>>,
    /// The sender is a lite agent.
    pub is_lite: bool,
    /// `ice-pacing` in milliseconds.
    pub ice_pacing: Option<u32>,
    /// The sections that have news, each with its `mid`.
    pub media: Vec<Media<'a>>,
}

impl<'a> Fragment<'a> {
    /// Reads a fragment within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// As for [`SessionDescription::parse`](crate::SessionDescription::parse); besides, a section has no `mid`, so
    /// that nobody can tell whose candidates these are.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Self::parse_within(text, &Limits::default())
    }

    /// Reads a fragment within limits of your own.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_within(text: &'a str, limits: &Limits) -> Result<Self, ParseError> {
        let mut reader = Reader::new(text, limits, true)?;
        let mut fragment = Self {
            text,
            level: Level::default(),
            groups: Vec::new(),
            is_lite: false,
            ice_pacing: None,
            media: Vec::new(),
        };
        reader.read_attributes(|attribute, line| match attribute {
            Attribute::Group(group) => {
                fragment.groups.push(group);
                Ok(())
            }
            Attribute::Lite => {
                fragment.is_lite = true;
                Ok(())
            }
            Attribute::Pacing(milliseconds) => once(&mut fragment.ice_pacing, milliseconds, line),
            other => fragment.level.take(other, line),
        })?;
        while reader.read_section(&mut fragment.media)? {
            if let Some(media) = fragment.media.last().filter(|media| media.mid.is_none()) {
                let found = "a section without one".into();
                let error = ParseError::new(ParseErrorKind::Incomplete, 1, MID, found);
                return Err(error.at_line(media.first_line));
            }
        }
        Ok(fragment)
    }

    /// The text that was read.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The username fragment by which the candidates of `media` belong to a generation.
    pub fn ufrag<'f>(&'f self, media: &'f Media<'_>) -> Option<&'f IceUfrag> {
        media.level.ufrag.as_ref().or(self.level.ufrag.as_ref())
    }

    /// The password, likewise.
    pub fn pwd<'f>(&'f self, media: &'f Media<'_>) -> Option<&'f IcePwd> {
        media.level.pwd.as_ref().or(self.level.pwd.as_ref())
    }

    /// Whether no more candidates will come at all: the end stands in front of all sections.
    pub fn ends_all(&self) -> bool {
        self.level.end_of_candidates
    }

    /// Whether no more candidates will come for the section `mid` in the generation of `ufrag` and `pwd`.
    pub fn ends(&self, mid: &str, ufrag: &IceUfrag, pwd: &IcePwd) -> bool {
        let is_of =
            |theirs: Option<&IceUfrag>, key: Option<&IcePwd>| theirs == Some(ufrag) && key == Some(pwd);
        let ends_all = self.ends_all() && is_of(self.level.ufrag.as_ref(), self.level.pwd.as_ref());
        let mut of_section = self.media.iter().filter(|media| media.mid == Some(mid));
        ends_all
            || of_section.any(|media| {
                (media.level.end_of_candidates || self.ends_all())
                    && is_of(self.ufrag(media), self.pwd(media))
            })
    }

    /// The candidates with the names of their sections, in their order, if they are of the generation of `ufrag` and
    /// `pwd`. A fragment repeats what was sent before: pass over [what is known](CandidateLine::is_same_place).
    pub fn candidates_of<'f>(
        &'f self,
        ufrag: &'f IceUfrag,
        pwd: &'f IcePwd,
    ) -> impl Iterator<Item = (&'a str, &'f CandidateRef<'a>)> {
        let of_generation =
            move |media: &&'f Media<'a>| self.ufrag(media) == Some(ufrag) && self.pwd(media) == Some(pwd);
        self.media.iter().filter(of_generation).flat_map(|media| {
            let mid = media.mid.unwrap_or_default();
            media.candidates.iter().map(move |candidate| (mid, candidate))
        })
    }
}

impl fmt::Display for Fragment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// Without the text: there is a password in it.
impl fmt::Debug for Fragment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fragment")
            .field("level", &self.level)
            .field("groups", &self.groups)
            .field("is_lite", &self.is_lite)
            .field("ice_pacing", &self.ice_pacing)
            .field("media", &self.media)
            .finish_non_exhaustive()
    }
}

/// A fragment of our own about one section, whose credentials stand in the section as they do in our descriptions.
///
/// RFC 8840 section 4.4 wants every fragment to repeat all candidates of the generation, in their order.
#[derive(Debug, Clone, Copy)]
pub struct LocalFragment<'a> {
    /// The section.
    pub mid: &'a str,
    /// Our username fragment, at most 32 characters.
    pub ufrag: &'a IceUfrag,
    /// Our password.
    pub pwd: &'a IcePwd,
    /// All candidates so far.
    pub candidates: &'a [CandidateLine],
    /// No more will come.
    pub end_of_candidates: bool,
}

impl LocalFragment<'_> {
    /// Writes the fragment, with the pseudo "m=" line that RFC 8840 section 4.4 has, and the name right in front of the
    /// candidates.
    ///
    /// # Errors
    ///
    /// The name is no token, the username fragment is longer than may be sent, or a candidate that was filled by hand
    /// does not follow the grammar.
    pub fn write(&self) -> Result<String, BuildError> {
        crate::write::check_mid(self.mid)?;
        check_ufrag(self.ufrag)?;
        self.candidates.iter().try_for_each(check_candidate)?;
        let mut out = String::with_capacity(room_for(self.candidates).saturating_add(600));
        let _ = self.write_lines(&mut out);
        Ok(out)
    }

    fn write_lines(&self, out: &mut String) -> fmt::Result {
        out.push_str("m=audio 9 RTP/AVP 0\r\n");
        push(out, &["a=ice-ufrag:", self.ufrag.as_str(), "\r\na=ice-pwd:", self.pwd.as_str(), "\r\n"]);
        push(out, &["a=mid:", self.mid, "\r\n"]);
        write_candidates(out, self.candidates, self.end_of_candidates)
    }
}

const MID: &str = "an \"a=mid\" line in this section";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;

    /// RFC 8840 figure 7, without line breaks in the candidates.
    const FIGURE_7: &str = "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
        a=ice-ufrag:8hhY\r\n\
        m=audio 9 RTP/AVP 0\r\n\
        a=mid:1\r\n\
        a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\n\
        a=candidate:1 2 UDP 2130706432 2001:db8:a0b:12f0::1 5001 typ host\r\n\
        a=candidate:2 1 UDP 1694498815 192.0.2.3 5010 typ srflx raddr 192.0.2.1 rport 8998\r\n\
        a=end-of-candidates\r\n\
        m=audio 9 RTP/AVP 0\r\n\
        a=mid:2\r\n\
        a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 6000 typ host\r\n\
        a=x-what:ever\r\n\
        a=end-of-candidates\r\n";

    #[test]
    fn the_example_of_the_rfc_gives_each_section_its_candidates() {
        let fragment = Fragment::parse(FIGURE_7).unwrap();
        let (ufrag, pwd) = ("8hhY".parse().unwrap(), "asd88fgpdd777uzjYhagZg".parse().unwrap());
        let ports: Vec<_> =
            fragment.candidates_of(&ufrag, &pwd).map(|(mid, candidate)| (mid, candidate.port)).collect();
        assert_eq!(ports, vec![("1", 5000), ("1", 5001), ("1", 5010), ("2", 6000)]);
        assert!(fragment.media.iter().all(|media| media.level.end_of_candidates) && !fragment.ends_all());
        assert_eq!(fragment.to_string(), FIGURE_7);
    }

    #[test]
    fn candidates_of_another_generation_are_not_shown() {
        let fragment = Fragment::parse(FIGURE_7).unwrap();
        let (ufrag, pwd) = ("8hhY".parse().unwrap(), "asd88fgpdd777uzjYhagZg".parse().unwrap());
        let (other, wrong) = ("8hhX".parse().unwrap(), "bsd88fgpdd777uzjYhagZg".parse().unwrap());
        assert_eq!(fragment.candidates_of(&other, &pwd).count(), 0);
        assert_eq!(fragment.candidates_of(&ufrag, &wrong).count(), 0);
    }

    #[test]
    fn the_end_belongs_to_a_generation() {
        let (ufrag, pwd) = ("8hhY".parse().unwrap(), "asd88fgpdd777uzjYhagZg".parse().unwrap());
        let (other, wrong) = ("8hhX".parse().unwrap(), "bsd88fgpdd777uzjYhagZg".parse().unwrap());
        let ends = |text: &str, mid: &str| Fragment::parse(text).unwrap().ends(mid, &ufrag, &pwd);
        assert!(ends(FIGURE_7, "1") && ends(FIGURE_7, "2") && !ends(FIGURE_7, "3"));
        let fragment = Fragment::parse(FIGURE_7).unwrap();
        assert!(!fragment.ends("1", &other, &pwd) && !fragment.ends("1", &ufrag, &wrong));
        let going_on = FIGURE_7.replacen("a=end-of-candidates\r\n", "", 1);
        assert!(!ends(&going_on, "1") && ends(&going_on, "2"));
        let all = format!("a=end-of-candidates\r\n{}", FIGURE_7.replace("a=end-of-candidates\r\n", ""));
        assert!(ends(&all, "1") && ends(&all, "3"), "also for those that have no news");
        let of_section =
            all.replacen("a=ice-ufrag:8hhY\r\n", "", 1).replace("a=mid:2", "a=mid:2\r\na=ice-ufrag:8hhY");
        assert!(!ends(&of_section, "1") && ends(&of_section, "2") && !ends(&of_section, "3"));
    }

    #[test]
    fn what_else_a_pseudo_line_says_means_nothing() {
        let odd = FIGURE_7.replace("RTP/AVP 0", "RTP/AVP 300 x-y");
        assert_eq!(Fragment::parse(&odd).unwrap().media.len(), 2);
    }

    #[test]
    fn credentials_of_a_section_count_more_and_the_end_in_front_is_for_all() {
        let text = "a=ice-ufrag:aaaa\r\na=ice-lite\r\na=group:BUNDLE 0\r\na=ice-pacing:20\r\na=end-of-candidates\r\n\
            m=x 0 y z\na=mid:0\na=ICE-UFRAG:bbbb\n";
        let fragment = Fragment::parse(text).unwrap();
        assert_eq!(fragment.ufrag(&fragment.media[0]).map(IceUfrag::as_str), Some("bbbb"));
        assert!(fragment.ends_all() && fragment.is_lite && fragment.groups.len() == 1);
        assert_eq!(fragment.ice_pacing, Some(20));
    }

    #[test]
    fn a_section_without_a_name_and_lines_of_a_description_are_refused() {
        for (text, line) in [
            ("m=audio 9 RTP/AVP 0\r\na=candidate:1 1 UDP 1 10.0.1.1 1 typ host\r\n", 1),
            ("v=0\r\n", 1),
            ("a=ice-lite\r\ns=-\r\n", 2),
            ("a=ice-ufrag:aaaa\r\na=ice-ufrag:aaaa\r\n", 2),
            ("\r\n", 1),
        ] {
            assert_eq!(Fragment::parse(text).unwrap_err().line(), Some(line), "{text:?}");
        }
        assert_eq!(Fragment::parse("").unwrap_err().kind(), ParseErrorKind::Empty);
    }

    #[test]
    fn our_own_fragment_is_read_as_it_was_meant() {
        let (ufrag, pwd) = (IceUfrag::from_random([1; 6]), IcePwd::from_random([2; 18]));
        let candidates: Vec<CandidateLine> = ["candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host"]
            .map(|line| line.parse().unwrap())
            .to_vec();
        let local = LocalFragment {
            mid: "0",
            ufrag: &ufrag,
            pwd: &pwd,
            candidates: &candidates,
            end_of_candidates: true,
        };
        let text = local.write().unwrap();
        assert!(text.contains("a=mid:0\r\na=candidate:"), "RFC 8840 section 4.4: immediately: {text}");
        let read = Fragment::parse(&text).unwrap();
        let back: Vec<_> = read.candidates_of(&ufrag, &pwd).map(|(mid, c)| (mid, c.to_line())).collect();
        assert_eq!(back, vec![("0", candidates[0].clone())]);
        assert!(read.media[0].level.end_of_candidates);
        assert!(LocalFragment { mid: "0\r\na=x", ..local }.write().is_err());
    }
}
