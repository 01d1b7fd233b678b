-- The deployment that leads away from one that was found bad after it had ended well; null where there is none.
alter table deployment add column way_back text;
