//! New settings for a listener at work.

use tracing::{error, info};

use super::{FAREWELL, ListenSettings, Listener};
use crate::Result;
use crate::kafka::Consumer;
use crate::proposals::Proposals;
use crate::publisher::Publisher;

impl Listener {
    /// Goes on with new settings, and with a consumer that reads what they name; or with the old ones, if the new
    /// ones cannot be used.
    pub(super) fn renew(&mut self, settings: ListenSettings, consumer: &mut Consumer) {
        let old = std::mem::replace(&mut self.settings, settings);
        match self.try_renew(&old, consumer) {
            Ok(()) => info!("the new settings are in force"),
            Err(why) => {
                error!("the settings stay as they were: {why}");
                self.settings = old;
            }
        }
    }

    fn try_renew(&mut self, old: &ListenSettings, consumer: &mut Consumer) -> Result<()> {
        let is_new = self.settings.publisher != old.publisher;
        let publisher = is_new.then(|| Publisher::new(&self.settings.publisher));
        let publisher = publisher.transpose()?;
        if consumer.settings() != &self.consumer_settings() {
            // What was heard is in the inbox, and its positions are committed as the old member leaves.
            consumer.change(self.consumer_settings(), FAREWELL)?;
        }
        if let Some(publisher) = publisher {
            self.change_publisher(publisher)?;
        }
        if self.settings.data != old.data {
            self.proposals = Proposals::new(self.settings.data.clone());
        }
        Ok(())
    }

    fn change_publisher(&self, new: Publisher) -> Result<()> {
        let sites = self.db.sites()?;
        let databases = sites.iter().map(|site| site.database_dir.as_path());
        self.dispatch.publish_with(new, databases, FAREWELL);
        Ok(())
    }
}
