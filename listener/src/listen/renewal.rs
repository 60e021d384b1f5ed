//! New settings for a listener at work.

use tracing::{error, info};

use super::{FAREWELL, ListenSettings, Listener, measuring};
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
        let may_run_locally = self.db.may_run_locally()?;
        let is_new = self.settings.publisher != old.publisher;
        let publisher = is_new.then(|| Publisher::new(&self.settings.publisher));
        let publisher = publisher.transpose()?;
        if consumer.settings() != &self.consumer_settings() {
            // What was heard is in the inbox, and its positions are committed as the old member leaves.
            consumer.change(self.db.heard()?, self.consumer_settings(), FAREWELL)?;
        }
        if let Some(publisher) = publisher {
            self.change_publisher(publisher)?;
        }
        if self.settings.data != old.data {
            self.proposals = Proposals::new(self.settings.data.clone());
        }
        self.dispatch.change(self.settings.dispatch);
        self.dispatch.fall_back(may_run_locally);
        if self.settings.monitor != old.monitor {
            self.move_monitor(&old.monitor);
        }
        Ok(())
    }

    /// A monitor whose new address cannot be had stays where it was: that is no reason to refuse the other settings.
    fn move_monitor(&mut self, old: &str) {
        // The new address may be the old one on more interfaces, and so has to be free.
        self.monitor = None;
        let moved = measuring::monitor(&self.settings.monitor, &self.numbers).or_else(|why| {
            error!("the numbers for a monitor stay where they were: {why}");
            self.settings.monitor = old.to_owned();
            measuring::monitor(old, &self.numbers)
        });
        self.monitor = moved.unwrap_or_else(|why| {
            error!("a monitor is not answered any more: {why}");
            self.settings.monitor.clear();
            None
        });
    }

    fn change_publisher(&self, new: Publisher) -> Result<()> {
        let sites = self.db.sites()?;
        let databases = sites.iter().map(|site| site.database_dir.as_path());
        self.dispatch.publish_with(new, databases, FAREWELL);
        Ok(())
    }
}
