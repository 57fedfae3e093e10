//! A scripted cloud: what really is in each account, and what its answers say about it.
//!
//! It may find more than there is (an index that lags), and never less.

use std::collections::BTreeSet;
use std::time::Duration;

use acctpool_actors::cloud::{CloudError, Leftover, Pass, Probe, Proof, Verified};
use acctpool_actors::pool::{
    AccountId, Credential, Done, Fence, Job, ManagementKey, ManagementKeys, Timestamp,
};

/// How long a token still works that was issued before its key was deleted (`ibm-cloud.md` 4).
pub const TOKEN_LAG: Duration = Duration::from_mins(10);

/// A job that was issued and not answered.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The account that it is about.
    pub account: AccountId,
    /// The fence that its report has to carry.
    pub fence: Fence,
    /// The management keys that may work.
    pub keys: ManagementKeys,
    /// What is to be done.
    pub job: Job,
    /// When it was decided.
    pub at: Timestamp,
}

/// How the cloud answers a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All is well; what is found is what is there.
    Well,
    /// A sweep deletes something, a proof finds something, a probe does not work yet.
    Busy,
    /// A sweep finds only what refuses to go.
    Stuck,
    /// Done, but the reply is lost.
    LostReply,
    /// Not done.
    Fault,
    /// Not done, and a pause is asked for.
    Throttled,
    /// A person is needed.
    Refused,
}

/// What exists at the cloud, for one account.
#[derive(Clone, Debug)]
pub struct CloudAccount {
    /// The management keys that work.
    pub management: BTreeSet<ManagementKey>,
    /// The lease credentials that work.
    pub leases: BTreeSet<Fence>,
    /// The lease credential that went last, and until when tokens of it still work.
    pub tokens: Option<(Fence, Timestamp)>,
    /// How many resources are there that can be deleted.
    pub resources: u32,
    /// Whether one is there that cannot.
    pub immortal: bool,
}

impl CloudAccount {
    /// Returns an account that nobody has used, with the key that the operator configured.
    #[must_use]
    pub fn unspoilt() -> Self {
        Self {
            management: [ManagementKey::CONFIGURED].into(),
            leases: BTreeSet::new(),
            tokens: None,
            resources: 0,
            immortal: false,
        }
    }

    /// Tells whether nothing is there that somebody left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.resources == 0 && !self.immortal
    }

    /// Lets the holder of a lease credential make a resource, where that still works.
    pub fn use_lease(&mut self, lease: Fence, now: Timestamp) {
        let has_token = matches!(self.tokens, Some((of, until)) if of == lease && now < until);
        if self.leases.contains(&lease) || has_token {
            self.resources += 1;
        }
    }

    /// Does a job, or does not, and answers.
    pub fn answer(
        &mut self,
        issued: &Issued,
        answer: Answer,
        now: Timestamp,
    ) -> Result<Done, CloudError> {
        match answer {
            Answer::Fault => Err(CloudError::Transient("503".to_owned())),
            Answer::Throttled => Err(CloudError::Throttled {
                retry_after: Duration::from_secs(40),
                detail: "429".to_owned(),
            }),
            Answer::Refused => Err(CloudError::Refused("403".to_owned())),
            Answer::LostReply => {
                self.carry_out(issued, answer, now);
                Err(CloudError::Transient("connection reset".to_owned()))
            }
            Answer::Well | Answer::Busy | Answer::Stuck => Ok(self.carry_out(issued, answer, now)),
        }
    }

    fn carry_out(&mut self, issued: &Issued, answer: Answer, now: Timestamp) -> Done {
        match &issued.job {
            Job::Revoke(_) => {
                self.revoke(now);
                Done::Revoked
            }
            Job::Verify => Done::Verified(self.verify(issued.keys)),
            Job::Sweep => Done::Swept(self.sweep(answer)),
            Job::Prove => Done::Proved(Proof {
                leftovers: match answer {
                    Answer::Busy | Answer::Stuck => vec![leftover()],
                    _ if self.is_empty() => Vec::new(),
                    _ => vec![leftover()],
                },
                ..Proof::default()
            }),
            Job::Rotate(to) => {
                self.management.insert(*to);
                Done::Rotated
            }
            Job::Retire => {
                let current = issued.keys.current;
                self.management.retain(|key| *key == current);
                Done::Retired
            }
            Job::Mint {
                generation,
                expires_at,
            } => {
                self.revoke(now);
                self.leases.insert(issued.fence);
                Done::Minted(Credential {
                    generation: *generation,
                    fence: issued.fence,
                    service_id: format!("ServiceId-{}", issued.fence),
                    key_id: format!("ApiKey-{}", issued.fence),
                    policy_ids: vec!["policy".to_owned()],
                    expires_at: *expires_at,
                })
            }
            Job::Probe(credential) => {
                let exists = self.leases.contains(&credential.fence);
                Done::Probed(match answer {
                    Answer::Well | Answer::LostReply if exists => Probe::Works,
                    _ => Probe::NotYet,
                })
            }
        }
    }

    fn revoke(&mut self, now: Timestamp) {
        while let Some(lease) = self.leases.pop_last() {
            self.tokens = Some((lease, now + TOKEN_LAG));
        }
    }

    fn verify(&self, keys: ManagementKeys) -> Verified {
        let mut known = keys.known().chain([ManagementKey::CONFIGURED]);
        let current = known
            .find(|key| self.management.contains(key))
            .expect("management_key_never_lost: none that the pool knows of works");
        let newest = self.management.last().expect("one of them works").epoch;
        Verified { current, newest }
    }

    fn sweep(&mut self, answer: Answer) -> Pass {
        match answer {
            Answer::Busy => {
                let deleted = self.resources.div_ceil(2);
                self.resources -= deleted;
                Pass {
                    deleted: accepted(deleted.max(1)),
                    ..Pass::default()
                }
            }
            Answer::Stuck => Pass {
                stuck: vec![leftover()],
                ..Pass::default()
            },
            _ => Pass {
                deleted: accepted(std::mem::take(&mut self.resources)),
                stuck: self.immortal.then(leftover).into_iter().collect(),
                ..Pass::default()
            },
        }
    }
}

/// Returns so many resources that were asked to go.
fn accepted(count: u32) -> Vec<Leftover> {
    let resource = |number| Leftover {
        id: format!("crn:v1:mortal:{number}"),
        name: None,
        reason: "its deletion was accepted".to_owned(),
        ..leftover()
    };
    (0..count).map(resource).collect()
}

/// Returns what refuses to go.
#[must_use]
pub fn leftover() -> Leftover {
    Leftover {
        collection: "resource instances".to_owned(),
        id: "crn:v1:immortal".to_owned(),
        name: Some("immortal".to_owned()),
        region: None,
        reason: "422".to_owned(),
    }
}
