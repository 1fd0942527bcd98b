//! The shape of a pipeline: names and kinds of its stages, without their state. Channels of one
//! loop with equal pipelines share it, and what was checked once is not checked again.

use std::rc::Rc;

use crate::error::LinkError;
use crate::pipeline::link::{Head, TypeRow, Vtable};
use crate::pipeline::slot::Pipeline;

/// One stage of a shape.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) vtable: &'static Vtable,
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.vtable, other.vtable) && self.name == other.name
    }
}

/// See the [module](self). Every instance is one that fits together.
pub(crate) struct Shape {
    head: Head,
    pub(crate) rows: Box<[Row]>,
    /// What the tail takes from senders.
    pub(crate) tail: TypeRow,
}

/// Shapes in use on a loop; few, as servers have few kinds of pipelines.
#[derive(Default)]
pub(crate) struct Shapes {
    known: Vec<Rc<Shape>>,
    /// How many stages the last pipeline had: the next one is likely to have as many.
    usual_stages: usize,
}

/// How many shapes are remembered; more pipelines than that are checked anew each time.
const SHAPES_MAX: usize = 16;

impl Shapes {
    pub(crate) fn usual_stages(&self) -> usize {
        self.usual_stages
    }

    /// The shape of `rows`, checked.
    pub(crate) fn of(&mut self, head: Head, rows: &[Row]) -> Result<Rc<Shape>, LinkError> {
        let known = self.known.iter().find(|shape| shape.head == head && *shape.rows == *rows);
        if let Some(shape) = known {
            return Ok(Rc::clone(shape));
        }
        for (index, row) in rows.iter().enumerate() {
            if rows[..index].iter().any(|other| other.name == row.name) {
                return Err(LinkError::DuplicateName(row.name));
            }
        }
        let tail = check(head, rows)?;
        let shape = Rc::new(Shape { head, rows: rows.into(), tail });
        if self.known.len() == SHAPES_MAX {
            self.known.remove(0);
        }
        self.known.push(Rc::clone(&shape));
        Ok(shape)
    }

    /// The shape of a pipeline as it stands.
    pub(crate) fn of_pipeline(
        &mut self,
        head: Head,
        pipeline: &Pipeline,
    ) -> Result<Rc<Shape>, LinkError> {
        self.usual_stages = pipeline.slots.len();
        // Most pipelines are short: compare without allocating first.
        let known = self
            .known
            .iter()
            .find(|shape| shape.head == head && shape.rows.iter().copied().eq(rows_of(pipeline)));
        if let Some(shape) = known {
            return Ok(Rc::clone(shape));
        }
        let rows: Vec<Row> = rows_of(pipeline).collect();
        self.of(head, &rows)
    }
}

fn rows_of(pipeline: &Pipeline) -> impl Iterator<Item = Row> + '_ {
    pipeline.order().map(|slot| {
        let s = &pipeline.slots[slot as usize];
        Row { name: s.name, vtable: s.vtable }
    })
}

/// Checks that each stage takes what the one before gives, in both directions. Answers what the
/// tail takes from senders.
fn check(head: Head, rows: &[Row]) -> Result<TypeRow, LinkError> {
    let mut given = (head.gives(), "head");
    for row in rows.iter().filter(|r| r.vtable.reads) {
        let takes = (row.vtable.read_in)();
        if !given.0.is(&takes) && !given.0.is_never() {
            return Err(mismatch("inbound", given.1, given.0, row.name, takes));
        }
        given = ((row.vtable.read_out)(), row.name);
    }
    let mut taken = (head.takes(), "head");
    for row in rows {
        let writes = (row.vtable.write_out)();
        if !writes.is(&taken.0) && !writes.is_never() {
            return Err(mismatch("outbound", row.name, writes, taken.1, taken.0));
        }
        if row.vtable.writes {
            taken = ((row.vtable.write_in)(), row.name);
        }
    }
    Ok(taken.0)
}

fn mismatch(
    direction: &'static str,
    from: &'static str,
    produces: TypeRow,
    to: &'static str,
    takes: TypeRow,
) -> LinkError {
    LinkError::Mismatch { direction, from, produces: produces.name, to, takes: takes.name }
}
