//! Values by their type.

use std::any::{Any, TypeId};

/// A small map from types to values: a channel has few, so a list it is; none cost nothing.
#[derive(Debug)]
pub(crate) struct TypeMap<V: ?Sized>(Vec<(TypeId, Box<V>)>);

/// Attributes of a channel that only its loop sees.
pub(crate) type LocalAttributes = TypeMap<dyn Any>;
/// Attributes that handles see, on any thread.
pub(crate) type SharedAttributes = TypeMap<dyn Any + Send>;

impl<V: ?Sized> Default for TypeMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V: ?Sized> TypeMap<V> {
    fn find<T: 'static>(&self) -> Option<usize> {
        self.0.iter().position(|(id, _)| *id == TypeId::of::<T>())
    }

    fn put<T: 'static>(&mut self, value: Box<V>) -> Option<Box<V>> {
        match self.find::<T>() {
            Some(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            None => {
                self.0.push((TypeId::of::<T>(), value));
                None
            }
        }
    }
}

impl LocalAttributes {
    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.0[self.find::<T>()?].1.downcast_ref()
    }

    pub(crate) fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let at = self.find::<T>()?;
        self.0[at].1.downcast_mut()
    }

    pub(crate) fn set<T: 'static>(&mut self, value: T) -> Option<T> {
        let before = self.put::<T>(Box::new(value))?;
        before.downcast().ok().map(|b| *b)
    }
}

impl SharedAttributes {
    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.0[self.find::<T>()?].1.downcast_ref()
    }

    pub(crate) fn set<T: Send + 'static>(&mut self, value: T) -> Option<T> {
        let before = self.put::<T>(Box::new(value))?;
        before.downcast().ok().map(|b| *b)
    }
}
