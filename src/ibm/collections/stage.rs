//! The order of a sweep.
//!
//! Depends on nothing.

/// When a row has its turn: rows of one stage run side by side, stages one after another.
///
/// What lets a borrower in comes before what a borrower left behind, and never waits for it. What
/// stands in regions waits, in its region, until everything of an earlier stage that is on its way
/// out has gone: the order is that of `ibm-cloud.md` 8.2 and 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) enum Stage {
    /// Ways in that stand alone, and rules that could lock us out. Resource keys are among them
    /// because each may have made a service ID of its own.
    Entrances,
    /// Service IDs: their keys and policies go with them.
    Identities,
    /// What gives rights or secrets to identities that stay.
    Grants,
    /// What makes other things, again if need be.
    Makers,
    /// Clusters of Kubernetes and OpenShift, with their workers and load balancers.
    Clusters,
    /// What computes.
    Machines,
    /// What leads in and out, and what refers to each other.
    Gateways,
    /// What serves others: nothing may refer to it any more.
    Services,
    /// Interfaces that hold subnets.
    Interfaces,
    /// Subnets.
    Subnets,
    /// What subnets were attached to, and what stands for itself.
    Networks,
    /// What machines stood on.
    Hosts,
    /// Virtual private clouds, and what held hosts.
    Clouds,
    /// What hangs on resource instances.
    Attachments,
    /// Resource instances.
    Instances,
    /// What IBM keeps of deleted instances.
    Reclamations,
    /// What may only go when instances are gone, and labels.
    Remainder,
    /// Resource groups.
    Groups,
}

impl Stage {
    pub(in super::super) const ALL: [Self; 18] = [
        Self::Entrances,
        Self::Identities,
        Self::Grants,
        Self::Makers,
        Self::Clusters,
        Self::Machines,
        Self::Gateways,
        Self::Services,
        Self::Interfaces,
        Self::Subnets,
        Self::Networks,
        Self::Hosts,
        Self::Clouds,
        Self::Attachments,
        Self::Instances,
        Self::Reclamations,
        Self::Remainder,
        Self::Groups,
    ];

    /// Tells whether the stage is one of those that wait for one another in their region.
    pub(in super::super) fn waits(self) -> bool {
        (Self::Makers..=Self::Clouds).contains(&self)
    }

    /// Returns the stage's name, for people.
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::Entrances => "entrances",
            Self::Identities => "identities",
            Self::Grants => "grants",
            Self::Makers => "makers",
            Self::Clusters => "clusters",
            Self::Machines => "machines",
            Self::Gateways => "gateways",
            Self::Services => "services",
            Self::Interfaces => "interfaces",
            Self::Subnets => "subnets",
            Self::Networks => "networks",
            Self::Hosts => "hosts",
            Self::Clouds => "clouds",
            Self::Attachments => "attachments",
            Self::Instances => "instances",
            Self::Reclamations => "reclamations",
            Self::Remainder => "remainder",
            Self::Groups => "groups",
        }
    }
}
