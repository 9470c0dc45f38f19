//! What JavaScript sees.

use lobbykeeper::Config;
use wasm_bindgen::prelude::*;

use crate::{Action, Scenario, World};

/// A world behind a door of JSON and bytes. Everything fails with an `Error` whose message is for the reader.
#[wasm_bindgen]
pub struct Playground {
    world: World,
}

#[wasm_bindgen]
impl Playground {
    /// A world without clients. `config` is [`Config`] in its JSON form; what is missing has its default.
    ///
    /// # Errors
    /// If it is not that, or if the settings contradict themselves.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str) -> Result<Self, JsError> {
        let config: Config = serde_json::from_str(config)?;
        Ok(Self {
            world: World::new(config)?,
        })
    }

    /// The scenarios: an array of `{"name","title","story"}`.
    pub fn scenarios() -> String {
        let all = Scenario::ALL.map(
            |scenario| serde_json::json!({ "name": scenario, "title": scenario.title(), "story": scenario.story() }),
        );
        serde_json::json!(all).to_string()
    }

    /// The world at the end of a scenario.
    ///
    /// # Errors
    /// If there is none with this name.
    pub fn scenario(name: &str) -> Result<Self, JsError> {
        let scenario: Scenario = serde_json::from_value(name.into())?;
        Ok(Self {
            world: scenario.play()?,
        })
    }

    /// The world at the end of a recording.
    ///
    /// # Errors
    /// If a line of it is damaged: which, and how.
    pub fn load(log: Vec<u8>) -> Result<Self, JsError> {
        Ok(Self {
            world: World::load(log)?,
        })
    }

    /// How it was after so many lines of a recording.
    ///
    /// # Errors
    /// If one of these lines is damaged: which, and how.
    pub fn load_until(log: Vec<u8>, lines: u32) -> Result<Self, JsError> {
        Ok(Self {
            world: World::load_until(log, lines.into())?,
        })
    }

    /// Does something; `action` is [`Action`] in its JSON form.
    ///
    /// # Errors
    /// If it is not that, or why it was not done.
    pub fn act(&mut self, action: &str) -> Result<(), JsError> {
        let action: Action = serde_json::from_str(action)?;
        Ok(self.world.act(action)?)
    }

    /// What there is to be seen, with what happened after entry `known` of the time line: [`View`](crate::View) in its
    /// JSON form.
    ///
    /// # Errors
    /// None that is known: all of it has a JSON form.
    pub fn view(&self, known: u32) -> Result<String, JsError> {
        Ok(serde_json::to_string(&self.world.view(known.into()))?)
    }

    /// The life of a connection, in words.
    ///
    /// # Errors
    /// If this is not the id of one.
    pub fn explain(&self, conn: &str) -> Result<String, JsError> {
        Ok(self.world.explain(conn.parse()?))
    }

    /// The recording so far.
    pub fn log(&self) -> Vec<u8> {
        self.world.log().to_vec()
    }

    /// What the recording has come to so far.
    pub fn digest(&self) -> String {
        self.world.digest()
    }
}
