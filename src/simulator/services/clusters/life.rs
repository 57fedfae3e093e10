//! What becomes of clusters in time, and how they end.
//!
//! Depends on the account. A deletion has two parts: the cluster disappears from every list, for which
//! the infrastructure key must live; later its workers disappear, and what else it takes along.

use time::OffsetDateTime;

use super::{Cluster, Place, State};
use crate::simulator::world::Account;

impl Account {
    /// Begins to delete a cluster that is shown.
    pub(super) fn begin_cluster_deletion(
        &mut self,
        id: &str,
        takes_resources: bool,
        now: OffsetDateTime,
    ) {
        let until = now + self.lags.vpc_slow_delete;
        let mut clusters = self.clusters.clusters.iter_mut();
        if let Some(cluster) = clusters.find(|cluster| cluster.id == id) {
            cluster.state = State::Deleting;
            cluster.due = Some(until);
            cluster.takes_resources = takes_resources;
        }
    }

    /// Begins the deletions anew that a dead key has stopped.
    pub(super) fn resume_deletions(&mut self, place: &Place, now: OffsetDateTime) {
        let until = now + self.lags.vpc_slow_delete;
        let stopped = |cluster: &&mut Cluster| {
            cluster.place == *place && cluster.state == State::Deleting && cluster.due.is_none()
        };
        for cluster in self.clusters.clusters.iter_mut().filter(stopped) {
            cluster.due = Some(until);
        }
    }

    pub(crate) fn settle_clusters(&mut self, now: OffsetDateTime) {
        while let Some(position) = self
            .clusters
            .clusters
            .iter()
            .position(|cluster| cluster.due.is_some_and(|due| due <= now))
        {
            self.settle_cluster(position, now);
        }
    }

    /// Ends the state of a cluster.
    fn settle_cluster(&mut self, position: usize, now: OffsetDateTime) {
        let cluster = &self.clusters.clusters[position];
        let (state, due) = match cluster.state {
            State::Deploying | State::Normal => (State::Normal, None),
            State::Deleting if self.has_living_key(&cluster.place, now) => {
                (State::Gone, Some(now + self.lags.cluster_linger))
            }
            State::Deleting => (State::Deleting, None),
            State::Gone => return self.remove_cluster(position, now),
        };
        let crn = cluster.crn(&self.id);
        let cluster = &mut self.clusters.clusters[position];
        (cluster.state, cluster.due) = (state, due);
        if state == State::Gone {
            self.detach_all_tags(&crn, now);
        }
    }

    fn remove_cluster(&mut self, position: usize, now: OffsetDateTime) {
        let cluster = self.clusters.clusters.remove(position);
        self.vpc.release(&cluster.id);
        if let Some(site) = cluster.site.filter(|_| cluster.takes_resources) {
            self.vpc.clear_away(&site.furnishings.balancer, now);
            self.vpc.clear_away(&site.furnishings.volume, now);
        }
    }
}
